"""The checklist of the quickstart guide that this project started from, with one test for each line.

The first line of each test's docstring is the line of the checklist.
"""

import json
import re
from base64 import urlsafe_b64decode
from contextlib import suppress
from typing import Any, Final

import asyncpg
import httpx
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Error, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.e2e.test_neighbours import ask
from tests.support.browser import Windows, calls
from tests.support.frontend import Frontend, Person
from tests.support.pages import TasksPage, is_expired, notice, problem, sign_in
from tests.support.service import eventually
from tests.support.service_under_pages import Api

LINES: Final = {
    "jwt_plugin": "Better Auth JWT plugin configured and migrated",
    "client_plugin": "JWT client plugin added to auth-client",
    "attachment": "API client created with token attachment",
    "local_storage": "Token stored in localStorage after login",
    "expiration": "Token expiration handling implemented",
    "verification": "FastAPI JWT verification middleware created",
    "ownership": "All 6 API endpoints protected with user ownership check",
    "cors": "CORS configured for frontend origin",
    "end_to_end": "End-to-end test: login → create task → fetch tasks → update task → delete task",
    "errors": "Error handling: test 401 and 403 responses",
    "refresh": "Token refresh: test expired token handling",
}
"""The lines of the checklist, verbatim, by the name of their tests."""

ENDPOINTS: Final = (
    ("GET", "", None),
    ("POST", "", {"title": "Changed"}),
    ("GET", "/{id}", None),
    ("PUT", "/{id}", {"title": "Changed"}),
    ("DELETE", "/{id}", None),
    ("PATCH", "/{id}/complete", None),
)


def part(token: str, which: int) -> Any:
    segment = token.split(".")[which]
    return json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def tables(url: str, schema: str) -> set[str]:
    async def names() -> set[str]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = $1", schema
            )
        finally:
            await connection.close()
        return {row["table_name"] for row in rows}

    with start_blocking_portal() as portal:
        return portal.call(names)


def rejection(response: httpx.Response) -> str:
    """The `detail` of a 401 response, which must have a challenge and a problem document."""
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.headers["Content-Type"] == "application/problem+json"
    return str(response.json()["detail"])


def test_every_line_has_a_test() -> None:
    tested = {re.sub(r"^test_line_\d+_", "", name) for name in globals() if name.startswith("test_line_")}
    assert tested == set(LINES)


def test_line_1_jwt_plugin(web: Frontend, site_database: str, alice: Person) -> None:
    """Better Auth JWT plugin configured and migrated."""
    [key, *_] = alice.get("/jwks").json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    assert "d" not in key
    assert {"jwks", "user", "session", "account"} <= tables(site_database, "auth")
    token = alice.token()
    assert part(token, 0) == {"alg": "EdDSA", "kid": key["kid"]}
    claims = part(token, 1)
    assert (claims["sub"], claims["email"]) == (alice.user_id, alice.email)
    assert claims["iss"] == claims["aud"] == web.url


def test_line_2_client_plugin(windows: Windows, alice: Person) -> None:
    """JWT client plugin added to auth-client."""
    page = windows.open(alice)
    with page.expect_response("**/api/auth/token") as response:
        TasksPage(page).open()
    assert part(response.value.json()["token"], 1)["sub"] == alice.user_id


def test_line_3_attachment(windows: Windows, api: Api, alice: Person) -> None:
    """API client created with token attachment."""
    page = windows.open(alice)
    sent = calls(page, api)
    with page.expect_response("**/api/auth/token") as response:
        tasks = TasksPage(page).open()
    tasks.add("Buy milk")
    tasks.tick("Buy milk")
    tasks.edit("Buy milk").change("Buy oat milk")
    tasks.reads("Buy oat milk")
    tasks.delete("Buy oat milk")
    assert [request.method for request in sent] == ["GET", "POST", "PATCH", "PUT", "DELETE"]
    token = response.value.json()["token"]
    assert {request.header_value("authorization") for request in sent} == {f"Bearer {token}"}
    assert {request.header_value("cookie") for request in sent} == {None}


def test_line_4_local_storage(windows: Windows, keeping_web: Frontend, alice: Person) -> None:
    """Token stored in localStorage after login: where EVO_TODO_TOKEN_STORE asks for it."""
    page = windows.open(web=keeping_web, is_far=True)
    sign_in(page, alice)
    token = page.evaluate("localStorage.getItem('jwt_token')")
    assert part(token, 1)["sub"] == alice.user_id


def test_line_5_expiration(windows: Windows, keeping_web: Frontend, alice: Person) -> None:
    """Token expiration handling implemented."""
    page = windows.open(alice, web=keeping_web, has_clock=True)
    tasks = TasksPage(page).open().add("Buy milk")
    alice.elsewhere().sign_in().revoke_others()
    page.clock.fast_forward("15:00")
    with suppress(Error):  # the page follows the session, and may be cleared already
        tasks.check("Buy milk").click(timeout=5_000)
    is_expired(page)
    assert page.evaluate("localStorage.getItem('jwt_token')") is None


def test_line_6_verification(api: Api, tasks_of: TasksOf, alice: Person) -> None:
    """FastAPI JWT verification middleware created."""
    path = tasks_of(alice).path
    head, claims, signature = alice.token().split(".")
    assert api.ask("GET", path, f"{head}.{claims}.{signature}").status_code == 200
    forged = f"{head}.{claims}.{signature[::-1]}"
    unsigned = f"eyJhbGciOiJub25lIn0.{claims}."
    for token in (None, "", "invalid.token.here", forged, unsigned):
        assert rejection(api.ask("GET", path, token))


def test_line_7_ownership(api: Api, tasks_of: TasksOf, alice: Person, bob: Person) -> None:
    """All 6 API endpoints protected with user ownership check."""
    his, hers = tasks_of(bob), tasks_of(alice)
    for method, path, body in ENDPOINTS:
        [task] = his.add("Bob's secret")
        before = his.all()
        below = path.format(id=task["id"])
        assert api.ask(method, his.path + below, json=body).status_code == 401, method
        assert api.ask(method, his.path + below, alice.token(), json=body).status_code == 403, method
        if path:
            assert api.ask(method, hers.path + below, alice.token(), json=body).status_code == 404, method
        assert his.all() == before
        assert api.ask(method, his.path + below, bob.token(), json=body).is_success, method


def test_line_8_cors(windows: Windows, web: Frontend, api: Api, alice: Person) -> None:
    """CORS configured for frontend origin."""
    path = f"/api/{alice.user_id}/tasks"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    ours = api.ask("OPTIONS", path, headers={"Origin": web.url, **asks})
    assert ours.headers["Access-Control-Allow-Origin"] == web.url
    theirs = api.ask("OPTIONS", path, headers={"Origin": "http://localhost:1", **asks})
    assert "Access-Control-Allow-Origin" not in theirs.headers

    TasksPage(windows.open(alice)).open().add("Buy milk")  # a real preflight is accepted

    elsewhere = windows.open()
    elsewhere.goto(f"{web.address}/api/auth/ok")  # the same site from an origin that is not allowed
    outcome = elsewhere.evaluate(f"fetch('{api.origin}/health').then(() => 'read', error => error.name)")
    assert outcome == "TypeError"
    [fault] = windows.watch.faults
    assert "CORS" in fault
    windows.watch.faults.clear()


def test_line_9_end_to_end(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    """End-to-end test: login → create task → fetch tasks → update task → delete task."""
    stored = tasks_of(alice)
    tasks = sign_in(windows.open(is_far=True), alice)
    tasks.add("Buy milk")
    assert stored.titles() == ["Buy milk"]
    tasks.open().reads("Buy milk")
    tasks.edit("Buy milk").change("Buy oat milk")
    tasks.open().reads("Buy oat milk")
    tasks.delete("Buy oat milk")
    tasks.open().reads()
    assert stored.titles() == []


def test_line_10_errors(at_tasks: Opens, api: Api, alice: Person, bob: Person) -> None:
    """Error handling: test 401 and 403 responses."""
    own, others = (f"/api/{person.user_id}/tasks" for person in (alice, bob))
    assert rejection(api.ask("GET", own, "invalid.token.here"))
    assert rejection(api.ask("GET", own))
    tasks = at_tasks(alice)
    status, text = ask(tasks.page, f"{api.origin}{others}")
    assert status == 403
    assert json.loads(text)["title"] == "Access denied"

    tasks.page.route(f"{api.origin}/**", lambda route: route.continue_(url=f"{api.origin}{others}"), times=1)
    tasks.new.fill("Buy milk")
    tasks.new.press("Enter")
    expect(notice(tasks.page)).to_contain_text("Could not add “Buy milk”. The path names another user")


def test_line_11_refresh(windows: Windows, hasty_web: Frontend, api: Api, alice: Person) -> None:
    """Token refresh: test expired token handling."""
    page = windows.open(alice, web=hasty_web)
    sent = calls(page, api)
    tasks = TasksPage(page).open()
    while len({request.headers["authorization"] for request in sent}) < 2:
        tasks.add(f"Task {len(sent)}")
    first = sent[0].headers["authorization"].removeprefix("Bearer ")
    path = f"/api/{alice.user_id}/tasks"
    eventually(lambda: api.ask("GET", path, first).status_code == 401)  # the page renews it shortly before it expires
    assert rejection(api.ask("GET", path, first)) == "The token has expired."
    tasks.add("The last task")
    expect(problem(page)).to_have_count(0)
