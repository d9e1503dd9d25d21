import re

from playwright.sync_api import Page

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, renewals
from tests.support.frontend import Frontend, Person
from tests.support.pages import TasksPage, sign_in, sign_out
from tests.support.service_under_pages import Api

STORED = "() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])"


def policy(page: Page, path: str) -> dict[str, list[str]]:
    response = page.goto(path)
    assert response is not None
    parts = [directive.split() for directive in response.headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in parts}


def test_the_content_security_policy_of_every_page_is_strict(windows: Windows, api: Api, alice: Person) -> None:
    outside, inside = windows.open(), windows.open(alice)
    pages = [(outside, path) for path in ("/login", "/signup", "/nowhere", "/api/auth/ok")]
    nonces = set()
    for page, path in [*pages, (inside, "/tasks"), (inside, "/account"), (inside, "/account")]:
        directives = policy(page, path)
        assert "unsafe" not in str(directives), path
        assert "*" not in str(directives), path
        assert directives["default-src"] == ["'none'"]
        assert directives["connect-src"] == ["'self'", api.origin]
        assert directives["frame-ancestors"] == ["'none'"]
        assert directives["base-uri"] == ["'none'"]
        nonces.update(re.findall(r"'nonce-([^']+)'", " ".join(directives["script-src"])))
    assert len(nonces) == len(pages) + 3, "each response has its own nonce"


def test_an_injected_script_does_not_run(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<i id=planted onclick=\"globalThis.ran = true\">')")
    page.evaluate("document.getElementById('planted').click()")
    assert page.evaluate("globalThis.ran") is None
    [fault] = windows.watch.faults
    assert "Content Security Policy" in fault
    windows.watch.faults.clear()


def test_a_page_cannot_send_data_to_other_hosts(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    outcome = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)")
    assert outcome == "TypeError"
    assert all("Content Security Policy" in fault for fault in windows.watch.faults)
    assert windows.watch.faults
    windows.watch.faults.clear()


def test_the_session_cookie_is_inaccessible_to_scripts_and_other_sites(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    sign_in(page, alice)
    [cookie] = page.context.cookies()
    assert cookie.get("httpOnly") is True
    assert cookie.get("sameSite") == "Lax"
    assert cookie.get("path") == "/"
    assert page.evaluate("document.cookie") == ""


def test_the_token_is_not_stored_in_the_browser(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    with page.expect_response("**/api/auth/token") as response:
        tasks = sign_in(page, alice)
    token = response.value.json()["token"]
    tasks.add("Buy milk")
    assert page.evaluate(STORED) == "[{},{}]"
    assert page.evaluate("indexedDB.databases()") == []
    assert token not in page.content()
    assert token not in page.evaluate("JSON.stringify(history.state)")


def test_pages_and_tokens_are_not_cached(at_tasks: Opens, alice: Person) -> None:
    page = at_tasks(alice).page
    for path in ("/tasks", "/account", "/login"):
        response = page.goto(path)
        assert response is not None
        assert response.headers["cache-control"] == "no-store"
    assert "no-store" in alice.get("/token").headers["cache-control"]


def test_with_the_local_storage_setting_the_token_is_stored_as_jwt_token_until_sign_out(
    windows: Windows, keeping_web: Frontend, alice: Person
) -> None:
    page = windows.open(web=keeping_web, is_far=True)
    with page.expect_response("**/api/auth/token") as response:
        tasks = sign_in(page, alice)
    token = response.value.json()["token"]
    fetched = renewals(page)
    for _ in range(2):
        assert page.evaluate("localStorage.getItem('jwt_token')") == token
        tasks.open()
    assert fetched == [], "the stored token is reused after a reload"
    sign_out(page)
    assert page.evaluate(STORED) == "[{},{}]"


def test_an_unreadable_stored_token_is_replaced(windows: Windows, keeping_web: Frontend, alice: Person) -> None:
    page = windows.open(alice, web=keeping_web)
    page.add_init_script("localStorage.jwt_token ??= 'invalid.token.here'")
    tasks = TasksPage(page).open().add("Buy milk")
    tasks.reads("Buy milk")
    assert page.evaluate("localStorage.getItem('jwt_token')").count(".") == 2
    assert page.evaluate("localStorage.getItem('jwt_token')") != "invalid.token.here"


def test_a_stored_token_of_another_user_is_not_used(
    windows: Windows, keeping_web: Frontend, tasks_of: TasksOf, alice: Person, bob: Person
) -> None:
    tasks_of(bob).add("Bob's secret")
    page = windows.open(alice, web=keeping_web)
    page.add_init_script(f"localStorage.jwt_token ??= '{bob.token()}'")
    tasks = TasksPage(page).open().add("Buy milk")
    tasks.reads("Buy milk")
