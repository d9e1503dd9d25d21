"""Direct dispatch and the router lead to the same responses; only the plain form of a path is dispatched directly."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.http.app import ROUTES
from adapters.http.context import Headers, RequestContext
from adapters.http.routes import sync, tasks
from adapters.http.routing import DirectRoutes, Route
from domain.audit import AuditContext
from tests.support.api import Api, InMemory, running

TASKS = "/api/alice/tasks"
ONE = f"{TASKS}/019a0c2f-7d00-7abc-8def-0123456789ab"
OWN = {"content-type": "application/json"}
NEVER_THE_SAME = {"x-request-id", "ratelimit"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(InMemory()) as api:
        yield api


def comparable(response: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """What does not differ between two equal requests."""
    body = json.loads(response.content) if response.content else None
    if isinstance(body, dict):
        for changing in ("id", "created_at", "updated_at", "revision", "request_id", "instance"):
            body.pop(changing, None)
    headers = {name: value for name, value in response.headers.items() if name not in NEVER_THE_SAME}
    if response.status_code == 201:
        del headers["location"], headers["etag"]
    if response.is_error:
        del headers["content-length"]  # it depends on the path's length
    return response.status_code, headers, body


@pytest.mark.parametrize(
    ("method", "query", "more"),
    [
        ("GET", "", {}),
        ("GET", "?limit=1&sort=-created_at", {}),
        ("GET", "?limit=0", {}),
        ("GET", "?limit=1&limit=1", {}),
        ("GET", "?cursor=nonsense", {}),
        ("GET", "?nonsense", {}),
        ("GET", "", {"headers": {"If-None-Match": '"2"'}}),
        ("GET", "", {"headers": {"If-None-Match": "*"}}),
        ("HEAD", "", {}),
        ("POST", "", {"json": {"title": "Buy milk", "description": "Two"}}),
        ("POST", "", {"json": {"title": " "}}),
        ("POST", "", {"json": {"title": "Buy milk", "no": "member"}}),
        ("POST", "", {"json": ["Buy milk"]}),
        ("POST", "", {"content": b'{"title":', "headers": OWN}),
        ("POST", "", {"content": b'{"title":"\xff"}', "headers": OWN}),
        ("POST", "", {"content": b"[" * 60_000, "headers": OWN}),
        ("POST", "", {"content": b'{"title":"%s"}' % (b"a" * 64 * 1024), "headers": OWN}),
        ("POST", "", {"content": b"", "headers": OWN}),
        ("POST", "", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
        ("POST", "", {"content": b"{}", "headers": OWN | {"content-encoding": "gzip"}}),
    ],
)
async def test_direct_and_routed_calls_to_a_list_respond_the_same(
    api: Api, method: str, query: str, more: dict[str, Any]
) -> None:
    await api.task("First")
    await api.task("Second")
    direct = await api(method, f"{TASKS}{query}", **more)
    routed = await api(method, f"{TASKS}/{query}", **more)
    assert comparable(direct) == comparable(routed)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("tag", [None, '"1"', '"2"', "*"])
async def test_direct_and_routed_calls_to_a_task_respond_the_same(api: Api, method: str, tag: str | None) -> None:
    mine = (await api.task())["id"]
    headers = {"If-None-Match": tag} if tag else {}
    for name in (mine, mine.upper(), "nonsense", "00000000-0000-0000-0000-000000000000"):
        direct = await api(method, f"{TASKS}/{name}", headers=headers)
        routed = await api(method, f"{TASKS}/{name}/", headers=headers)
        assert comparable(direct) == comparable(routed)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?limit=1", "?limit=0", "?since=nonsense", "?nonsense"])
async def test_direct_and_routed_calls_to_changes_respond_the_same(api: Api, method: str, query: str) -> None:
    await api.task("First")
    await api.task("Second")
    direct = await api(method, f"{TASKS}/changes{query}")
    routed = await api(method, f"{TASKS}/changes/{query}")
    assert comparable(direct) == comparable(routed)


def found(method: str, path: str) -> Route | None:
    """The route that a request is dispatched to without the router."""
    context = RequestContext("r", Headers.parse([]), path, path, b"", AuditContext("r"))
    return DirectRoutes(ROUTES).find(method, context, [*filter(None, path.split("/"))])


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", TASKS, tasks.list_tasks),
        ("POST", TASKS, tasks.create_task),
        ("GET", ONE, tasks.get_task),
        ("GET", f"{TASKS}/changes", sync.list_changes),
        ("GET", f"{TASKS}/events", sync.watch_tasks),
    ],
)
def test_the_plain_form_of_a_frequent_call_is_dispatched_directly(method: str, path: str, route: Route) -> None:
    assert found(method, path) is route


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{TASKS}/"),
        ("GET", "/api//tasks"),
        ("GET", "//api/alice/tasks"),
        ("GET", f"{ONE}/"),
        ("GET", f"{ONE}/complete"),
        ("POST", f"{TASKS}/changes"),
        ("GET", f"{TASKS}/changes/"),
        ("POST", f"{TASKS}/events"),
        ("GET", f"{TASKS}/events/"),
        ("GET", f"{TASKS}/x"),
        ("GET", ONE.upper()),
        ("GET", "/docs"),
        ("PUT", ONE),
        ("DELETE", ONE),
        ("POST", ONE),
        ("*", TASKS),
        ("GET", "/api/alice/lists"),
    ],
)
def test_everything_else_is_left_to_the_router(method: str, path: str) -> None:
    assert found(method, path) is None
