import json
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.conftest import TasksOf
from tests.support.browser import Windows, calls, renewals, requests
from tests.support.frontend import Frontend, Person
from tests.support.pages import TasksPage, is_expired, notice, problem, send_sign_in
from tests.support.service_under_pages import Api

REFUSAL: Final[dict[str, Any]] = {
    "status": 401,
    "headers": {"Access-Control-Allow-Origin": "*", "WWW-Authenticate": 'Bearer error="invalid_token"'},
    "content_type": "application/problem+json",
    "body": json.dumps({"status": 401, "title": "The token is not valid", "detail": "The token has expired."}),
}


def loads(page: Page) -> list[Request]:
    """The pages that were asked for, from now on."""
    return requests(page, Request.is_navigation_request)


def test_a_token_is_fetched_once_and_serves_many_requests(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    fetched = renewals(page)
    tasks = TasksPage(page).open().add("Buy milk", "Book the train")
    tasks.tick("Buy milk")
    tasks.delete("Book the train").reads("Buy milk")
    assert len(fetched) == 1


def test_a_token_that_ends_while_one_works_is_renewed_and_nobody_notices(
    windows: Windows, hasty_web: Frontend, tasks_of: TasksOf, alice: Person
) -> None:
    page = windows.open(alice, web=hasty_web)
    fetched = renewals(page)
    tasks = TasksPage(page).open()
    added: list[str] = []
    while len(fetched) < 3:
        added.append(f"Task {len(added)}")
        tasks.add(added[-1])
    expect(problem(page)).to_have_count(0)
    expect(notice(page)).to_have_count(0)
    tasks.reads(*reversed(added))
    assert tasks_of(alice).titles() == [*reversed(added)]
    assert windows.watch.losses == []


def test_one_refusal_of_the_service_costs_one_renewal_and_one_more_try(
    windows: Windows, api: Api, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    page = windows.open(alice)
    fetched = renewals(page)
    asked = calls(page, api)
    page.route(f"{api.origin}/**", lambda route: route.fulfill(**REFUSAL), times=1)
    tasks = TasksPage(page).open().reads("Buy milk")
    assert len(fetched) == 2
    assert [request.method for request in asked] == ["GET", "GET"]

    page.route(f"{api.origin}/**/complete", lambda route: route.fulfill(**REFUSAL), times=1)
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
        tasks.check("Buy milk").click()
    expect(tasks.check("Buy milk")).to_be_checked()
    expect(notice(page)).to_have_count(0)
    assert len(fetched) == 3
    assert [request.method for request in asked[2:]] == ["PATCH", "PATCH"]


def test_a_session_that_was_ended_elsewhere_leads_to_the_sign_in_with_a_word_on_it(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    page = windows.open(alice, has_clock=True)
    tasks = TasksPage(page).open()
    alice.elsewhere().sign_in().revoke_others()
    seen = loads(page)
    page.clock.fast_forward("15:00")  # until the token ends that was given before
    tasks.check("Buy milk").click()
    is_expired(page)
    assert windows.watch.losses == ["/tasks"]
    assert [urlsplit(request.url).path for request in seen] == ["/login"]

    send_sign_in(page, alice)
    TasksPage(page).shown().reads("Buy milk")
    assert windows.watch.losses == ["/tasks"]


def test_a_service_that_refuses_a_good_session_sends_nobody_round_in_circles(
    windows: Windows, api: Api, alice: Person
) -> None:
    page = windows.open(alice)
    seen = loads(page)

    def refuse(route: Route) -> None:
        route.fulfill(**REFUSAL)

    page.route(f"{api.origin}/**", refuse)
    page.goto("/tasks")
    is_expired(page)
    page.wait_for_load_state("networkidle")
    is_expired(page)
    assert windows.watch.losses == ["/tasks"]
    assert [urlsplit(request.url).path for request in seen] == ["/tasks", "/login"]

    page.unroute(f"{api.origin}/**", refuse)
    page.goto("/tasks")
    TasksPage(page).shown()


def test_the_service_words_of_a_403_are_shown_and_nobody_is_signed_out(
    windows: Windows, api: Api, alice: Person
) -> None:
    page = windows.open(alice)
    tasks = TasksPage(page).open()
    said = {"status": 403, "detail": "The path names another user than the token."}
    page.route(
        f"{api.origin}/**",
        lambda route: route.fulfill(status=403, headers={"Access-Control-Allow-Origin": "*"}, body=json.dumps(said)),
        times=1,
    )
    tasks.new.fill("Buy milk")
    tasks.new.press("Enter")
    expect(notice(page)).to_contain_text(f"“Buy milk” was not added. {said['detail']}")
    expect(tasks.new).to_have_value("Buy milk")
    tasks.new.press("Enter")
    tasks.has_confirmed("Buy milk")
