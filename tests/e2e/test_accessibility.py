"""axe finds no violation on any page in any state, in light and dark mode."""

from collections.abc import Callable
from typing import Literal

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import TasksOf
from tests.e2e.test_second_factor import turn_on
from tests.support.browser import Windows
from tests.support.frontend import FRONTEND, Person
from tests.support.pages import TasksPage, go, is_expired, notice, problem, send_sign_in
from tests.support.service_under_pages import Api

AXE = FRONTEND.parent / "node_modules/axe-core/axe.min.js"
RUN = """async () => (await axe.run()).violations.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => node.html.slice(0, 120)).join(' | ')}`
)"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="package")
def axe() -> str:
    return AXE.read_text()


Inspect = Callable[[Page], None]


@pytest.fixture
def inspect(axe: str) -> Inspect:
    def inspect(page: Page) -> None:
        page.evaluate(axe)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert page.evaluate(RUN) == [], scheme
        page.emulate_media(color_scheme="light")

    return inspect


def test_axe_finds_a_known_violation(windows: Windows, inspect: Inspect) -> None:
    page = windows.open()
    page.set_content("<html lang=en><title>Faulty</title><main><h1>Faulty</h1><input></main></html>")
    with pytest.raises(AssertionError, match="label"):
        inspect(page)


def test_the_sign_in_and_sign_up_pages(windows: Windows, inspect: Inspect, alice: Person) -> None:
    page = windows.open(is_far=True)
    go(page, "/signup")
    inspect(page)
    page.goto("/nowhere")
    inspect(page)
    go(page, "/login?expired=true")
    inspect(page)
    is_expired(page)
    go(page, "/login")
    inspect(page)
    send_sign_in(page, alice, password="not the pass phrase")
    expect(problem(page)).to_be_visible()
    inspect(page)


def test_the_tasks(windows: Windows, inspect: Inspect, alice: Person) -> None:
    page = windows.open(alice)
    tasks = TasksPage(page).open()
    inspect(page)  # the empty list
    tasks.add("Book the train", "Buy milk")
    tasks.tick("Buy milk")
    tasks.edit("Book the train").change(description="The one before noon.")
    inspect(page)
    tasks.delete("Buy milk")
    inspect(page)
    tasks.edit("Book the train")
    inspect(page)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    inspect(page)


def test_the_tasks_while_loading(windows: Windows, api: Api, inspect: Inspect, alice: Person) -> None:
    page = windows.open(alice)
    page.route(f"{api.origin}/**", lambda _: None)  # no response
    page.goto("/tasks")
    expect(page.get_by_text("Loading tasks")).to_have_count(1)
    inspect(page)


def test_the_tasks_without_the_service_or_the_network(
    windows: Windows, api: Api, tasks_of: TasksOf, inspect: Inspect, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    page = windows.open(alice)
    tasks = TasksPage(page).open()
    api.stop()
    tasks.check("Buy milk").click()
    expect(problem(page).filter(has_text="Retrying")).to_be_visible()
    expect(notice(page)).to_contain_text("Could not update")
    inspect(page)
    api.start()
    expect(problem(page).filter(has_text="Retrying")).to_have_count(0)
    page.context.set_offline(True)
    tasks.check("Buy milk").click()
    expect(page.get_by_role("status").filter(has_text="1 change will be saved")).to_be_visible()
    inspect(page)


def test_an_edit_conflict(windows: Windows, tasks_of: TasksOf, inspect: Inspect, alice: Person) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("Buy milk")
    page = windows.open(alice)
    editor = TasksPage(page).open().edit("Buy milk")
    stored.change(task, title="Buy oat milk", description="One litre")
    editor.save("Buy rice milk")
    expect(editor.conflict).to_be_visible()
    inspect(page)


def test_the_account(windows: Windows, inspect: Inspect, alice: Person) -> None:
    alice.elsewhere().sign_in()
    page = windows.open(alice, is_far=True)
    page.goto("/account")
    expect(page.get_by_role("button", name="Revoke")).to_be_visible()
    inspect(page)
    page.get_by_role("button", name="Delete account…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    inspect(page)
    turn_on(page, alice.password)
    inspect(page)


def test_the_second_factor(windows: Windows, inspect: Inspect, alice: Person) -> None:
    enabled = alice.post("/two-factor/enable", password=alice.password).json()
    app = pyotp.parse_uri(enabled["totpURI"])
    assert isinstance(app, pyotp.TOTP)
    assert alice.post("/two-factor/verify-totp", code=app.now()).is_success
    page = windows.open(is_far=True)
    go(page, "/login")
    send_sign_in(page, alice)
    expect(page.get_by_label("Code from your authenticator app")).to_be_visible()
    inspect(page)
    page.get_by_role("button", name="Use a backup code").click()
    expect(page.get_by_label("Backup code")).to_be_visible()
    inspect(page)
