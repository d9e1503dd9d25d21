"""The short way gives what the router gives, and takes only what is plain."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.http.hot_calls import FastRoutes
from adapters.http.injection import UseCases
from adapters.http.page_cache import PageCache
from adapters.http.request import note_fields
from domain.identity import Principal, UserId
from tests.support.api import Api, InMemory, running

TASKS = "/api/alice/tasks"
OWN = {"content-type": "application/json"}
NEVER_THE_SAME = {"x-request-id", "ratelimit"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(InMemory()) as api:
        yield api


def told(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """What does not differ between two equal requests."""
    body = json.loads(answer.content) if answer.content else None
    if isinstance(body, dict):
        for changing in ("id", "created_at", "updated_at", "revision", "request_id", "instance"):
            body.pop(changing, None)
    headers = {name: value for name, value in answer.headers.items() if name not in NEVER_THE_SAME}
    if answer.status_code == 201:
        del headers["location"], headers["etag"]
    if answer.is_error:
        del headers["content-length"]  # the path is told
    return answer.status_code, headers, body


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
async def test_both_ways_to_a_list_answer_the_same(api: Api, method: str, query: str, more: dict[str, Any]) -> None:
    await api.task("First")
    await api.task("Second")
    short = await api(method, f"{TASKS}{query}", **more)
    by_the_router = await api(method, f"{TASKS}/{query}", **more)
    assert told(short) == told(by_the_router)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("tag", [None, '"1"', '"2"', "*"])
async def test_both_ways_to_a_task_answer_the_same(api: Api, method: str, tag: str | None) -> None:
    mine = (await api.task())["id"]
    headers = {"If-None-Match": tag} if tag else {}
    for name in (mine, mine.upper(), "nonsense", "00000000-0000-0000-0000-000000000000"):
        short = await api(method, f"{TASKS}/{name}", headers=headers)
        by_the_router = await api(method, f"{TASKS}/{name}/", headers=headers)
        assert told(short) == told(by_the_router)


async def handed_on(method: str, path: str, headers: dict[str, str], *, is_known: bool = True) -> bool:
    """Whether a request goes on to the router; the use cases are never asked."""
    reached: list[str] = []

    async def router(*_: Any) -> None:
        reached.append("router")

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"title":"a"}', "more_body": False}

    async def send(_: Any) -> None:
        raise AssertionError("nothing was to be sent")

    scope: Any = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "state": {"principal": Principal(UserId("alice"))} if is_known else {},
    }
    note_fields(scope, scope["headers"])
    try:
        await FastRoutes(router, UseCases(), PageCache())(scope, receive, send)
    except AttributeError as error:
        if error.name not in {"list_tasks", "get_task", "create_task"}:
            raise
        return False  # it asked for a use case, and none has been loaded
    assert reached == ["router"]
    return True


PLAIN = OWN | {"content-length": "13"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", TASKS, {}), ("GET", f"{TASKS}/x", {}), ("POST", TASKS, PLAIN), ("POST", TASKS, {"a": "b"} | PLAIN)],
)
async def test_what_is_plain_is_answered_here(method: str, path: str, headers: dict[str, str]) -> None:
    assert not await handed_on(method, path, headers)
    assert await handed_on(method, path, headers, is_known=False)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", f"{TASKS}/", {}),
        ("GET", "/api//tasks", {}),
        ("GET", "//api/alice/tasks", {}),
        ("GET", f"{TASKS}/x/complete", {}),
        ("GET", "/docs", {}),
        ("PUT", f"{TASKS}/x", PLAIN),
        ("DELETE", f"{TASKS}/x", {}),
        ("*", TASKS, {}),
        ("POST", f"{TASKS}/x", PLAIN),
        ("POST", TASKS, {}),
        ("POST", TASKS, OWN),
        ("POST", TASKS, PLAIN | {"content-length": "0"}),
        ("POST", TASKS, PLAIN | {"content-length": "65537"}),
        ("POST", TASKS, PLAIN | {"content-length": "9" * 5000}),
        ("POST", TASKS, PLAIN | {"content-length": "+13"}),
        ("POST", TASKS, PLAIN | {"content-type": "application/json; charset=utf-8"}),
        ("POST", TASKS, PLAIN | {"content-encoding": "identity"}),
        ("POST", TASKS, PLAIN | {"transfer-encoding": "chunked"}),
    ],
)
async def test_what_is_not_plain_is_left_to_the_router(method: str, path: str, headers: dict[str, str]) -> None:
    assert await handed_on(method, path, headers)
