"""The Python client where something is wrong: addresses, tokens, and answers that are not the API's."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from evo_todo_client import ApiProblem, AsyncClient, Client, Unauthorized, Unreachable
from evo_todo_client import network as client_network
from tests.support.api import InMemory, running

HANG = 30.0
BASE = "http://api.test/api"
LIST: dict[str, Any] = {"data": [], "next_cursor": None}
TASK: dict[str, Any] = {
    "id": "1",
    "user_id": "alice",
    "title": "Buy milk",
    "description": None,
    "completed": False,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "revision": 1,
}
CHANGES: dict[str, Any] = {"data": [], "deleted": [], "sync_token": "a", "has_more": False}


def answering(*answers: httpx.Response) -> httpx.Client:
    """Sends these responses, the last one again and again."""
    left = [*answers]
    return httpx.Client(transport=httpx.MockTransport(lambda _: left.pop(0) if left[1:] else left[0]))


def client_with(fetch_token: Callable[[], Awaitable[str | None]]) -> AsyncClient:
    network = httpx.MockTransport(lambda _: httpx.Response(200, json=LIST))
    return AsyncClient(BASE, fetch_token, http=httpx.AsyncClient(transport=network))


@pytest.mark.parametrize(
    "wrong",
    ["", "api.test/api", "/api", "http://", "ftp://api.test/api", "http://api.test:x/api", "http://api.test/api?a=b"],
)
def test_an_address_that_cannot_be_right_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Client(wrong, lambda: "a.b.c")


def test_a_prefix_and_a_slash_at_its_end_are_kept() -> None:
    asked = list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=LIST)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with Client("https://example.com/todo/api/", lambda: "a.b.c", http=http) as client:
        assert client.list_tasks("åsa b?#%") == []
    assert asked == ["https://example.com/todo/api/%C3%A5sa%20b%3F%23%25/tasks?limit=1000"]


ODD: list[Any] = [None, 5, "text", [], {}, {"data": None}, {"data": 5}, {"data": ["text"]}, {"data": [{}]}]
ODD += [
    {**LIST, "data": [TASK | {name: value}]} for name, value in (("id", 5), ("revision", True), ("created_at", "x"))
]


@pytest.mark.parametrize("body", [*ODD, {"data": []} | {"next_cursor": 5}])
def test_a_list_that_is_none_is_a_problem_and_not_an_empty_list(body: Any) -> None:
    with Client(BASE, lambda: "a.b.c", http=answering(httpx.Response(200, json=body))) as client:
        with pytest.raises(ApiProblem, match="did not come from the service") as raised:
            client.list_tasks("alice")
        assert raised.value.status == 200


@pytest.mark.parametrize(
    "body", [*ODD, *({**CHANGES, name: 5} for name in CHANGES), {**CHANGES, "data": [TASK | {"title": None}]}]
)
def test_changes_that_are_none_are_a_problem(body: Any) -> None:
    with (
        Client(BASE, lambda: "a.b.c", http=answering(httpx.Response(200, json=body))) as client,
        pytest.raises(ApiProblem, match="did not come from the service"),
    ):
        list(client.changes("alice"))


@pytest.mark.parametrize("data", ["5", '"text"', "[]", "null", "{}", '{"id":"1"}', "{"])
@pytest.mark.parametrize("name", ["task.changed", "task.deleted"])
def test_a_watch_goes_on_after_an_event_that_is_none(name: str, data: str) -> None:
    event = f"retry: 0\n\nevent: ready\nid: a\ndata: {{}}\n\nevent: {name}\nid: b\ndata: {data}\n\n"
    stream = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=event)
    page = httpx.Response(200, json={**CHANGES, "data": [TASK]})
    with Client(BASE, lambda: "a.b.c", http=answering(stream, page)) as client:
        events = client.watch("alice", since="a")
        assert next(events).sync_token == "a", "it was read from the changes"
        events.close()


@pytest.mark.parametrize(
    "detail", [[{"loc": ["body"], "msg": "wrong"}], {"a": 1}, 5, "", None], ids=lambda one: type(one).__name__
)
def test_the_members_of_a_problem_are_texts_whatever_was_sent(detail: Any) -> None:
    body = {"detail": detail, "type": detail, "title": detail, "request_id": detail, "errors": [{"pointer": 5}, 5]}
    for status in (401, 422):
        answer = httpx.Response(status, json=body, headers={"X-Request-Id": "abc"})
        with Client(BASE, lambda: "a.b.c", http=answering(answer)) as client, pytest.raises(ApiProblem) as raised:
            client.get_task("alice", "1")
        problem = raised.value
        assert str(status) in str(problem)
        assert (problem.status, problem.type, problem.request_id) == (status, "about:blank", "abc")
        assert problem.errors[0].pointer is None


@pytest.mark.parametrize("failure", [httpx.ConnectError("x"), OSError("x"), ValueError("x"), KeyError("token")])
async def test_no_token_for_another_reason_than_a_missing_session_is_no_end_of_it(failure: Exception) -> None:
    answers: list[Exception | str] = [failure, failure, failure, "a.b.c"]

    async def fetch_token() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with client_with(fetch_token) as client:
        with pytest.raises(Unreachable) as raised:
            await client.list_tasks("alice")
        assert raised.value.__cause__ is failure
        assert await client.list_tasks("alice") == []


async def test_a_token_that_does_not_come_is_waited_for_so_long_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_network, "TIMEOUT", 0.01)

    async def fetch_token() -> str:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with client_with(fetch_token) as client, asyncio.timeout(HANG):
        with pytest.raises(Unreachable):
            await client.list_tasks("alice")


async def test_fetch_token_may_say_itself_that_the_session_has_ended() -> None:
    async def fetch_token() -> str:
        raise Unauthorized

    async with client_with(fetch_token) as client:
        with pytest.raises(Unauthorized):
            await client.list_tasks("alice")


@pytest.mark.parametrize("comes_late", ["bobs.to.ken", None, OSError("x")])
async def test_a_token_that_arrives_after_the_sign_out_serves_nobody(comes_late: str | Exception | None) -> None:
    fetched, asked, go_on = list[int](), asyncio.Event(), [asyncio.Event(), asyncio.Event()]

    async def fetch_token() -> str | None:
        number = len(fetched)
        fetched.append(number)
        asked.set()
        await go_on[number].wait()
        if number == 0 and isinstance(comes_late, Exception):
            raise comes_late
        return comes_late if number == 0 and not isinstance(comes_late, Exception) else "new.to.ken"

    async with client_with(fetch_token) as client, asyncio.timeout(HANG):
        calls = [asyncio.create_task(client.list_tasks("alice")) for _ in range(2)]
        await asked.wait()
        client.sign_out()
        for event in go_on:
            event.set()
        assert [type(one) for one in await asyncio.gather(*calls, return_exceptions=True)] == [Unauthorized] * 2
        assert fetched == [0], "nobody fetched another one for the session that has ended"
        assert await client.list_tasks("alice") == []
        assert client._session.tokens._token == "new.to.ken"


@pytest.mark.parametrize("user", ["åsa", "日本", "a b", "a?b#c", "50%", "a+b&c;d", "\U0001f600", "~tilde"])
async def test_any_user_id_that_has_a_path_is_addressed(user: str) -> None:
    async with running(InMemory()) as api:

        async def fetch_token() -> str:
            return api.issuer.token(user) + "\n"  # as read from a file

        http = httpx.AsyncClient(transport=api.http._transport)
        async with AsyncClient(BASE, fetch_token, http=http) as client:
            task = await client.create_task(user, "Buy milk")
            assert task.user_id == user
            with pytest.raises(ApiProblem, match="Idempotency-Key"):
                await client.create_task(user, "Buy milk", idempotency_key="")  # not replaced in silence
            assert [page.tasks async for page in client.changes(user)] == [[task]]


def test_a_call_that_waits_to_repeat_itself_ends_with_its_client() -> None:
    asked = threading.Event()
    requests = list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        asked.set()
        return httpx.Response(503, headers={"Retry-After": "9"})

    def close_when_asked() -> None:
        assert asked.wait(HANG)
        client.close()

    client = Client(BASE, lambda: "a.b.c", http=httpx.Client(transport=httpx.MockTransport(answer)))
    closing = threading.Thread(target=close_when_asked)
    closing.start()
    with pytest.raises(ApiProblem, match="503"):
        client.list_tasks("alice")
    closing.join(HANG)
    assert len(requests) == 1
