import re

from playwright.sync_api import Page

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, renewals
from tests.support.frontend import Frontend, Person
from tests.support.pages import TasksPage, sign_in, sign_out
from tests.support.service_under_pages import Api

STORED = "() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])"


def policy(page: Page, path: str) -> dict[str, list[str]]:
    answer = page.goto(path)
    assert answer is not None
    parts = [directive.split() for directive in answer.headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in parts}


def test_no_page_lets_in_a_program_from_anywhere_else(windows: Windows, api: Api, alice: Person) -> None:
    outside, inside = windows.open(), windows.open(alice)
    pages = [(outside, path) for path in ("/login", "/signup", "/nowhere", "/api/auth/ok")]
    nonces = set()
    for page, path in [*pages, (inside, "/tasks"), (inside, "/account"), (inside, "/account")]:
        said = policy(page, path)
        assert "unsafe" not in str(said), path
        assert "*" not in str(said), path
        assert said["default-src"] == ["'none'"]
        assert said["connect-src"] == ["'self'", api.origin]
        assert said["frame-ancestors"] == ["'none'"]
        assert said["base-uri"] == ["'none'"]
        nonces.update(re.findall(r"'nonce-([^']+)'", " ".join(said["script-src"])))
    assert len(nonces) == len(pages) + 3, "each answer has its own"


def test_a_program_that_gets_into_a_page_is_not_run(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<i id=planted onclick=\"globalThis.ran = true\">')")
    page.evaluate("document.getElementById('planted').click()")
    assert page.evaluate("globalThis.ran") is None
    [fault] = windows.watch.faults
    assert "Content Security Policy" in fault
    windows.watch.faults.clear()


def test_a_page_cannot_send_what_it_knows_elsewhere(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    outcome = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)")
    assert outcome == "TypeError"
    assert all("Content Security Policy" in fault for fault in windows.watch.faults)
    assert windows.watch.faults
    windows.watch.faults.clear()


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    sign_in(page, alice)
    [cookie] = page.context.cookies()
    assert cookie.get("httpOnly") is True
    assert cookie.get("sameSite") == "Lax"
    assert cookie.get("path") == "/"
    assert page.evaluate("document.cookie") == ""


def test_nothing_of_a_token_is_kept_in_the_browser(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    with page.expect_response("**/api/auth/token") as answer:
        tasks = sign_in(page, alice)
    token = answer.value.json()["token"]
    tasks.add("Buy milk")
    assert page.evaluate(STORED) == "[{},{}]"
    assert page.evaluate("indexedDB.databases()") == []
    assert token not in page.content()
    assert token not in page.evaluate("JSON.stringify(history.state)")


def test_pages_and_tokens_are_kept_by_no_cache(at_tasks: Opens, alice: Person) -> None:
    page = at_tasks(alice).page
    for path in ("/tasks", "/account", "/login"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.headers["cache-control"] == "no-store"
    assert "no-store" in alice.get("/token").headers["cache-control"]


def test_where_it_is_asked_for_the_token_is_kept_as_jwt_token_until_the_sign_out(
    windows: Windows, keeping_web: Frontend, alice: Person
) -> None:
    page = windows.open(web=keeping_web, is_far=True)
    with page.expect_response("**/api/auth/token") as answer:
        tasks = sign_in(page, alice)
    token = answer.value.json()["token"]
    fetched = renewals(page)
    for _ in range(2):
        assert page.evaluate("localStorage.getItem('jwt_token')") == token
        tasks.open()
    assert fetched == [], "it serves the next page, too"
    sign_out(page)
    assert page.evaluate(STORED) == "[{},{}]"


def test_a_kept_token_that_cannot_be_read_is_replaced(windows: Windows, keeping_web: Frontend, alice: Person) -> None:
    page = windows.open(alice, web=keeping_web)
    page.add_init_script("localStorage.jwt_token ??= 'invalid.token.here'")
    tasks = TasksPage(page).open().add("Buy milk")
    tasks.reads("Buy milk")
    assert page.evaluate("localStorage.getItem('jwt_token')").count(".") == 2
    assert page.evaluate("localStorage.getItem('jwt_token')") != "invalid.token.here"


def test_a_kept_token_of_somebody_else_is_not_used(
    windows: Windows, keeping_web: Frontend, tasks_of: TasksOf, alice: Person, bob: Person
) -> None:
    tasks_of(bob).add("Bob's secret")
    page = windows.open(alice, web=keeping_web)
    page.add_init_script(f"localStorage.jwt_token ??= '{bob.token()}'")
    tasks = TasksPage(page).open().add("Buy milk")
    tasks.reads("Buy milk")
