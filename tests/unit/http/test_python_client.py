"""The Python client against the real application: every call, conditions, keys, tokens, retries and delta sync."""

import ast
import asyncio
import dataclasses
import inspect
import re
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import evo_todo_client
from adapters.http.app import ROUTES
from adapters.http.openapi.document import document
from evo_todo_client import (
    ApiProblem,
    AsyncClient,
    ChangedElsewhere,
    Changes,
    Client,
    FieldProblem,
    Task,
    Unauthorized,
    Unreachable,
)
from evo_todo_client.event_stream import EventStreamParser, ServerEvent
from tests.support.api import Api, InMemory, running

HANG = 30.0
"""Seconds after which a test fails instead of waiting on."""
BASE = "http://api.test/api"


class Network(httpx.AsyncBaseTransport):
    """The way to the application. It records requests, and fails on demand: before or after the application."""

    def __init__(self, inner: httpx.AsyncClient) -> None:
        self.inner = inner
        self.requests: list[httpx.Request] = []
        self.before: list[int | None] = []
        """For each request to come, the status that something on the way answers; `None`: it gets through."""
        self.lost: list[bool] = []
        """For each request to come, whether its response is lost."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.before.pop(0) if self.before else None
        if status is not None:
            return httpx.Response(status, text="<html>")
        response = await self.inner._transport.handle_async_request(request)
        if self.lost and self.lost.pop(0):
            raise httpx.ReadError("lost")
        return response


@dataclasses.dataclass
class Session:
    """A signed-in user."""

    api: Api
    network: Network
    user: str = "alice"
    fetched: int = 0
    token: str | None = None
    """Given once instead of a good one."""

    async def fetch_token(self) -> str | None:
        self.fetched += 1
        token, self.token = self.token, None
        return self.api.issuer.token(self.user) if token is None else token or None

    def client(self) -> AsyncClient:
        return AsyncClient(BASE, self.fetch_token, http=httpx.AsyncClient(transport=self.network))


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with running(InMemory()) as api:
        yield Session(api, Network(api.http))


def test_the_types_are_those_of_the_document() -> None:
    schemas = document(ROUTES)["components"]["schemas"]
    words = {"str": "string", "int": "integer", "bool": "boolean", "datetime": "date-time"}
    for shape, name in ((Task, "TaskView"), (FieldProblem, "FieldProblem")):
        schema = schemas[name]
        fields = {field.name: field for field in dataclasses.fields(shape)}
        assert set(fields) == set(schema["properties"])
        required = {field.name for field in fields.values() if field.default is dataclasses.MISSING}
        assert required == set(schema["required"])
        for field in fields.values():
            described = schema["properties"][field.name]
            parts = described.get("anyOf", [described])
            kinds = {part["format"] if part.get("format") == "date-time" else part["type"] for part in parts}
            optional = set() if field.name in required else {"null"}
            text = getattr(field.type, "__name__", str(field.type))
            named = {words.get(one.strip().rpartition(".")[2], "null") for one in str(text).split("|")}
            assert named == kinds | optional, field.name
    page = {"is_reset", "tasks", "deleted", "sync_token"}
    assert {field.name for field in dataclasses.fields(Changes)} == page
    assert set(schemas["ChangesView"]["required"]) == {"data", "deleted", "count", "sync_token", "has_more"}


def test_both_clients_have_the_same_methods_and_every_call_has_one() -> None:
    def public(client: type[Any]) -> dict[str, list[str]]:
        found = inspect.getmembers(client, inspect.isfunction)
        return {
            name.removeprefix("a" if name == "aclose" else ""): list(inspect.signature(method).parameters)
            for name, method in found
            if not name.startswith("_")
        }

    assert public(Client) == public(AsyncClient)
    operations = {
        one["operationId"] for item in document(ROUTES)["paths"].values() for one in item.values() if "security" in one
    }
    methods = {
        "listTasks": "list_tasks",
        "createTask": "create_task",
        "getTask": "get_task",
        "updateTask": "update_task",
        "patchTask": "update_task",
        "deleteTask": "delete_task",
        "completeTask": "set_completed",
        "restoreTask": "restore_task",
        "listChanges": "changes",
        "watchTasks": "watch",
    }
    assert set(methods) == operations
    assert set(methods.values()) <= set(public(Client))


async def test_the_life_of_a_task(session: Session) -> None:
    async with session.client() as client:
        task = await client.create_task("alice", "Buy milk", "Two bottles")
        assert (task.title, task.description, task.completed) == ("Buy milk", "Two bottles", False)
        assert task.created_at.utcoffset() is not None
        assert await client.get_task("alice", task.id) == task
        task = await client.update_task("alice", task.id, title="Bread")
        assert (task.title, task.description) == ("Bread", "Two bottles"), "what is not named stays"
        task = await client.update_task("alice", task.id, description=None)
        assert task.description is None
        task = await client.set_completed("alice", task.id, True)
        assert [one.id for one in await client.list_tasks("alice", completed=True, q="bread")] == [task.id]
        assert await client.list_tasks("alice", completed=False) == []
        await client.delete_task("alice", task.id)
        [gone] = await client.list_tasks("alice", deleted=True)
        assert gone.deleted_at is not None
        assert (await client.restore_task("alice", task.id)).title == "Bread"


async def test_a_change_of_what_has_changed_elsewhere_is_refused(session: Session) -> None:
    async with session.client() as client:
        task = await client.create_task("alice", "Buy milk")
        await client.update_task("alice", task.id, title="Bread", revision=task.revision)
        for change in (
            client.update_task("alice", task.id, title="Eggs", revision=task.revision),
            client.set_completed("alice", task.id, True, revision=task.revision),
            client.delete_task("alice", task.id, revision=task.revision),
        ):
            with pytest.raises(ChangedElsewhere):
                await change
        assert (await client.get_task("alice", task.id)).title == "Bread"


async def test_a_create_whose_response_is_lost_creates_one_task(session: Session) -> None:
    session.network.lost = [True, True]
    async with session.client() as client:
        task = await client.create_task("alice", "Buy milk")
        assert [one.id for one in await client.list_tasks("alice")] == [task.id]
        again = await client.create_task("alice", "Buy milk", idempotency_key="mine")
        assert await client.create_task("alice", "Buy milk", idempotency_key="mine") == again
    keys = [request.headers["Idempotency-Key"] for request in session.network.requests if request.method == "POST"]
    assert len(set(keys[:3])) == 1
    assert keys[3:] == ["mine", "mine"]


@pytest.mark.parametrize("status", [502, 503, 504, 429])
async def test_reads_and_creates_are_repeated_twice_and_other_changes_never(session: Session, status: int) -> None:
    async with session.client() as client:
        session.network.before = [status, status]
        task = await client.create_task("alice", "Buy milk")
        session.network.before = [status, status]
        assert await client.list_tasks("alice") == [task]
        session.network.before = [status] * 3
        with pytest.raises(ApiProblem, match=str(status)):
            await client.get_task("alice", task.id)
        assert session.network.before == []
        session.network.before = [status]
        with pytest.raises(ApiProblem):
            await client.update_task("alice", task.id, title="Bread")
        session.network.lost = [True]
        with pytest.raises(Unreachable):
            await client.set_completed("alice", task.id, True)


@pytest.mark.parametrize("status", [200, 301, 400, 404, 500])
async def test_what_something_on_the_way_answers_is_a_problem_and_not_repeated(session: Session, status: int) -> None:
    session.network.before = [status]
    async with session.client() as client:
        with pytest.raises(ApiProblem) as raised:
            await client.list_tasks("alice")
    assert (raised.value.status, len(session.network.requests)) == (status, 1)


async def test_a_problem_has_what_the_api_says(session: Session) -> None:
    async with session.client() as client:
        with pytest.raises(ApiProblem, match=r"\S") as raised:
            await client.create_task("alice", " ")
    problem = raised.value
    assert (problem.status, problem.errors[0].pointer) == (422, "/title")
    assert problem.request_id is not None
    assert problem.title


async def test_one_token_serves_until_the_api_rejects_it_then_another_once(session: Session) -> None:
    async with session.client() as client:
        await client.list_tasks("alice")
        await client.list_tasks("alice")
        assert session.fetched == 1
        client.sign_out()
        session.token = "not.a.token"
        assert await client.list_tasks("alice") == []
        assert session.fetched == 3

        client.sign_out()
        session.token = ""
        with pytest.raises(Unauthorized):
            await client.list_tasks("alice")
        session.network.before = [401, 401]
        with pytest.raises(Unauthorized):
            await client.list_tasks("alice")


async def test_calls_that_begin_together_fetch_one_token(session: Session) -> None:
    async with session.client() as client:
        await asyncio.gather(*(client.list_tasks("alice") for _ in range(5)))
        assert session.fetched == 1
        session.network.before = [401] * 5
        await asyncio.gather(*(client.list_tasks("alice") for _ in range(5)))
        assert session.fetched == 2


def test_threads_that_begin_together_fetch_one_token() -> None:
    fetched, together = list[str](), threading.Barrier(5)

    def fetch_token() -> str:
        fetched.append("a.b.c")
        time.sleep(0.05)  # as long as a response takes: others begin meanwhile
        return fetched[-1]

    def list_tasks(client: Client) -> list[Task]:
        together.wait(HANG)
        return client.list_tasks("alice")

    network = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": [], "next_cursor": None}))
    with Client(BASE, fetch_token, http=httpx.Client(transport=network)) as client, ThreadPoolExecutor(5) as threads:
        assert list(threads.map(list_tasks, [client] * 5)) == [[]] * 5
    assert fetched == ["a.b.c"]


async def test_a_token_is_renewed_shortly_before_it_expires(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    async with session.client() as client:
        await client.list_tasks("alice")
        tokens = client._session.tokens
        later = tokens._renew_at + 1
        monkeypatch.setattr(tokens, "_now", lambda: later)
        await client.list_tasks("alice")
        assert session.fetched == 2


@pytest.mark.parametrize("wrong", ["", ".", ".."])
async def test_an_id_that_would_address_another_resource_is_refused(session: Session, wrong: str) -> None:
    async with session.client() as client:
        with pytest.raises(ValueError, match="is not a valid id"):
            await client.get_task("alice", wrong)
        with pytest.raises(ValueError, match="is not a valid id"):
            await client.list_tasks(wrong)
        with pytest.raises(ApiProblem, match=r"\S"):
            await client.get_task("alice", "a/../../b")
    [request] = session.network.requests
    assert request.url.raw_path == b"/api/alice/tasks/a%2F..%2F..%2Fb"


async def test_changes_go_on_from_a_token_and_begin_anew_when_it_has_expired(session: Session) -> None:
    async with session.client() as client:
        kept = await client.create_task("alice", "Buy milk")
        gone = await client.create_task("alice", "Bread")
        [whole] = [page async for page in client.changes("alice")]
        assert (whole.is_reset, whole.tasks, whole.deleted) == (True, [kept, gone], [])
        await client.delete_task("alice", gone.id)
        [page] = [page async for page in client.changes("alice", since=whole.sync_token)]
        assert (page.is_reset, page.tasks, page.deleted) == (False, [], [gone.id])
        session.network.before = [410]
        [again] = [page async for page in client.changes("alice", since=page.sync_token)]
        assert (again.is_reset, again.tasks) == (True, [kept])


def test_the_readme_names_what_exists() -> None:
    text = (Path(evo_todo_client.__file__).parents[2] / "README.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    tree = ast.parse(example)
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_client(node.value)}
    assert used >= {"create_task", "set_completed", "update_task", "watch"}
    assert all(hasattr(Client, name) for name in used)
    assert "import httpx\nfrom evo_todo_client import" in example
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert set(imported) <= set(evo_todo_client.__all__)
    table = set(re.findall(r"`([a-z_]+)`", text[text.index("| method |") : text.index("- **Errors**")]))
    assert {name for name in table if not hasattr(AsyncClient, name)} == {"revision"}


def _is_client(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "client"


STREAM = (
    "\ufeffretry: 3000\n\nevent: ready\nid: a\ndata: {}\n\n:\n\nid: b\n\n"
    "event: task.changed\r\nid: é\r\ndata: 1\rdata:2\r\n\r\nid: \0\ndata\n\ndata: cut"
).encode()
EVENTS = [ServerEvent("ready", "{}", "a"), ServerEvent("task.changed", "1\n2", "é"), ServerEvent("message", "", "é")]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1000])
def test_a_stream_is_parsed_however_it_is_cut(size: int) -> None:
    parser = EventStreamParser()
    chunks = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for chunk in chunks for event in parser.parse(chunk)] == EVENTS
    assert (parser.retry, parser.last_id) == (3.0, "é")


def test_an_event_without_an_end_is_refused() -> None:
    parser = EventStreamParser()
    with pytest.raises(ValueError, match="too long"):
        for _ in range(40):
            assert list(parser.parse(b"data: " + b"x" * 64 * 1024)) == []
