from typing import Any

from playwright.sync_api import Page

from tests.e2e.conftest import Opens, TasksOf
from tests.support.frontend import Person
from tests.support.service_under_pages import Api

TOKEN = "async () => (await (await fetch('/api/auth/token')).json()).token"
ASK = """async ([url, method, body]) => {
    const { token } = await (await fetch('/api/auth/token')).json()
    const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) }
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) })
    return [response.status, await response.text()]
}"""


def ask(page: Page, url: str, method: str = "GET", body: object = None) -> tuple[int, str]:
    """Send a request to the service from the page, with a token of its user."""
    status, text = page.evaluate(ASK, [url, method, body])
    return status, text


def test_two_users_never_see_each_others_tasks(at_tasks: Opens, alice: Person, bob: Person) -> None:
    hers, his = at_tasks(alice), at_tasks(bob)
    hers.add("Alice's secret")
    his.add("Bob's secret")
    hers.tick("Alice's secret")
    for page, title in ((hers, "Alice's secret"), (his, "Bob's secret")):
        page.reads(title)
        page.open().reads(title)
        page.search.fill("secret")
        page.reads(title)


def test_a_users_token_gives_no_access_to_another_users_list_from_a_page(
    at_tasks: Opens, tasks_of: TasksOf, api: Api, alice: Person, bob: Person
) -> None:
    stored = tasks_of(bob)
    [task] = stored.add("Bob's secret")
    page = at_tasks(alice).page
    endpoints: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("POST", "", {"title": "Alice was here"}),
        ("GET", f"/{task['id']}", None),
        ("PUT", f"/{task['id']}", {"title": "Alice was here"}),
        ("DELETE", f"/{task['id']}", None),
        ("PATCH", f"/{task['id']}/complete", {"completed": True}),
        ("POST", f"/{task['id']}/restore", {}),
    ]
    for method, path, body in endpoints:
        status, text = ask(page, f"{api.origin}{stored.path}{path}", method, body)
        assert status == 403, (method, path)
        assert "secret" not in text
    hers = tasks_of(alice).path
    for method, path, body in endpoints[2:]:
        status, text = ask(page, f"{api.origin}{hers}{path}", method, body)
        assert status == 404, (method, path)
        assert "secret" not in text
    assert stored.all() == [task]
