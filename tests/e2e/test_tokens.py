import json
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.conftest import TasksOf
from tests.support.browser import Windows, calls, renewals, requests
from tests.support.frontend import Frontend, Person
from tests.support.pages import TasksPage, is_expired, notice, problem, send_sign_in
from tests.support.service_under_pages import Api

REJECTED: Final[dict[str, Any]] = {
    "status": 401,
    "headers": {"Access-Control-Allow-Origin": "*", "WWW-Authenticate": 'Bearer error="invalid_token"'},
    "content_type": "application/problem+json",
    "body": json.dumps({"status": 401, "title": "The token is not valid", "detail": "The token has expired."}),
}


def loads(page: Page) -> list[Request]:
    """A list that collects the page loads from now on."""
    return requests(page, Request.is_navigation_request)


def test_a_token_is_fetched_once_and_used_for_many_requests(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    fetched = renewals(page)
    tasks = TasksPage(page).open().add("Buy milk", "Book the train")
    tasks.tick("Buy milk")
    tasks.delete("Book the train").reads("Buy milk")
    assert len(fetched) == 1


def test_an_expired_token_is_renewed_without_the_user_noticing(
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


def test_a_401_leads_to_one_renewal_and_one_retry(windows: Windows, api: Api, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Buy milk")
    page = windows.open(alice)
    fetched = renewals(page)
    sent = calls(page, api)
    to_reject = ["/tasks?", "/complete"]

    def reject_once(route: Route) -> None:
        found = [part for part in to_reject if part in route.request.url]
        if not found:
            route.continue_()
            return
        to_reject.remove(found[0])
        route.fulfill(**REJECTED)

    # One route for both: a second one, after the first had come to its end, has missed its request at times.
    page.route(f"{api.origin}/api/**", reject_once)
    tasks = TasksPage(page).open().reads("Buy milk")
    assert len(fetched) == 2
    assert [request.method for request in sent] == ["GET", "GET"]

    with page.expect_response(lambda response: response.request.method == "PATCH" and response.ok):
        tasks.check("Buy milk").click()
    expect(tasks.check("Buy milk")).to_be_checked()
    expect(notice(page)).to_have_count(0)
    assert to_reject == []
    assert len(fetched) == 3
    assert [request.method for request in sent[2:]] == ["PATCH", "PATCH"]


def test_a_session_that_was_revoked_elsewhere_leads_to_the_sign_in_page_with_a_message(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    page = windows.open(alice, has_clock=True)
    TasksPage(page).open()
    alice.elsewhere().sign_in().revoke_others()
    seen = loads(page)
    page.clock.fast_forward("15:00")  # until the old token expires
    is_expired(page)
    assert windows.watch.losses == ["/tasks"]
    assert [urlsplit(request.url).path for request in seen] == ["/login"]

    send_sign_in(page, alice)
    TasksPage(page).shown().reads("Buy milk")
    assert windows.watch.losses == ["/tasks"]


def test_a_service_that_rejects_the_tokens_of_a_valid_session_causes_no_redirect_loop(
    windows: Windows, api: Api, alice: Person
) -> None:
    page = windows.open(alice)
    seen = loads(page)

    def reject(route: Route) -> None:
        route.fulfill(**REJECTED)

    page.route(f"{api.origin}/**", reject)
    page.goto("/tasks")
    is_expired(page)
    page.wait_for_load_state("networkidle")
    is_expired(page)
    assert windows.watch.losses == ["/tasks"]
    assert [urlsplit(request.url).path for request in seen] == ["/tasks", "/login"]

    page.unroute(f"{api.origin}/**", reject)
    page.goto("/tasks")
    TasksPage(page).shown()


def test_a_403_shows_the_message_of_the_service_and_does_not_sign_out(
    windows: Windows, api: Api, alice: Person
) -> None:
    page = windows.open(alice)
    tasks = TasksPage(page).open()
    forbidden = {"status": 403, "detail": "The path names another user than the token."}
    page.route(
        f"{api.origin}/**",
        lambda route: route.fulfill(
            status=403, headers={"Access-Control-Allow-Origin": "*"}, body=json.dumps(forbidden)
        ),
        times=1,
    )
    tasks.new.fill("Buy milk")
    tasks.new.press("Enter")
    expect(notice(page)).to_contain_text(f"Could not add “Buy milk”. {forbidden['detail']}")
    expect(tasks.new).to_have_value("Buy milk")
    tasks.new.press("Enter")
    tasks.has_confirmed("Buy milk")
