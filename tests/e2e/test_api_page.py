"""The API's own page, /docs, in a browser: under its policy, with a token that is pasted and kept nowhere."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import Watch
from tests.support.service import Service, evo_todo, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running("dev", folder=tmp_path_factory.mktemp("docs"), settings={}) as service:
        yield service


@pytest.fixture
def docs(chromium: Browser, service: Service) -> Iterator[Page]:
    watch = Watch()
    with chromium.new_context() as context:
        watch.over(context)
        page = context.new_page()
        page.goto(f"{service.url}/docs")
        yield page
        assert not watch.faults, "the policy refuses nothing that the page does, and nothing is fetched from elsewhere"


def token_for(user: str, folder: Path) -> str:
    return evo_todo("token", user, folder=folder).stdout.strip()


def sent(page: Page, call: str, **fields: str) -> Locator:
    """Fill in the form of this call and send it; where its response appears."""
    article = page.locator(f"article#{call}")
    if not article.locator("form").is_visible():
        article.get_by_text("Try it").click()
    for name, value in fields.items():
        article.locator(f'[name="{name}"]').fill(value)
    article.get_by_role("button", name="Send").click()
    return article.locator("output")


def test_calls_are_sent_with_the_pasted_token(docs: Page, service: Service) -> None:
    expect(sent(docs, "health")).to_contain_text('"status": "ok"')
    expect(sent(docs, "listTasks")).to_contain_text("401")
    docs.get_by_label("Token").fill(token_for("carla", service.folder))
    expect(docs.locator('article#listTasks [name="user_id"]')).to_have_value("carla")
    expect(sent(docs, "listTasks")).to_contain_text('"count": 0')

    created = sent(docs, "createTask", body=json.dumps({"title": "<img src=x onerror=alert(1)>"}))
    expect(created).to_contain_text("201")
    expect(sent(docs, "getTask")).to_contain_text("200")
    expect(sent(docs, "updateTask", body='{"title": "Bread"}')).to_contain_text('"title": "Bread"')
    expect(sent(docs, "listTasks", q="bread", limit="5")).to_contain_text('"count": 1')


def test_the_users_id_is_filled_in_from_the_token_in_any_alphabet(docs: Page, service: Service) -> None:
    payload = base64.urlsafe_b64encode('{"sub":"Åsa 日本"}'.encode()).decode()  # as JavaScript writes it
    docs.get_by_label("Token").fill(f"a.{payload}.b")
    expect(docs.locator('article#listTasks [name="user_id"]')).to_have_value("Åsa 日本")
    docs.get_by_label("Token").fill(token_for("Åsa 日本", service.folder))
    expect(sent(docs, "listTasks")).to_contain_text('"count": 0')


def test_a_stream_shows_events_as_they_come_until_it_is_stopped(docs: Page, service: Service) -> None:
    docs.get_by_label("Token").fill(token_for("dora", service.folder))
    events = sent(docs, "watchTasks")
    expect(events).to_contain_text("event: ready")
    expect(sent(docs, "createTask")).to_contain_text("201")
    expect(events).to_contain_text("event: task.changed")
    docs.locator("article#watchTasks").get_by_role("button", name="Stop").click()
    expect(events).to_contain_text("AbortError")


def test_the_token_is_kept_nowhere(docs: Page, service: Service) -> None:
    field = docs.get_by_label("Token")
    field.fill(token_for("emil", service.folder))
    expect(sent(docs, "listTasks")).to_contain_text("200")
    kept = docs.evaluate("[localStorage.length, sessionStorage.length, document.cookie, location.href]")
    assert kept == [0, 0, "", f"{service.url}/docs"]
    docs.reload()
    expect(field).to_have_value("")
    docs.goto(f"{service.url}/health")
    docs.go_back()
    expect(field).to_have_value("")


def test_the_page_can_be_read_without_scripts(chromium: Browser, service: Service) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{service.url}/docs")
        expect(page.locator("article#createTask")).to_contain_text("curl -X POST")
        assert not page.get_by_text("Try it").first.is_visible()
