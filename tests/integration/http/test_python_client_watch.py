"""The Python client's `watch` on a real server: at once, without gaps, over breaks, and by polling."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager

import httpx
import pytest

from evo_todo_client import AsyncClient, Changed, Client, Deleted, Event, Reset, Status, Unauthorized, WatchTimes
from tests.support.live import HANG, Live, Quick, serving

QUICK = WatchTimes(retry=0.05, restart=0.05, max_backoff=0.2, poll=0.05)


class Way(httpx.AsyncBaseTransport):
    """The way to the server. It can answer streams in its place, or cut those that are open."""

    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.streams: list[httpx.Response] = []
        self.resumed: list[str | None] = []
        self.instead: Callable[[], httpx.Response] | None = None
        """Answers requests for streams."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return await self.inner.handle_async_request(request)
        self.resumed.append(request.headers.get("Last-Event-ID"))
        if self.instead is not None:
            return self.instead()
        response = await self.inner.handle_async_request(request)
        self.streams.append(response)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class Held(httpx.AsyncByteStream):
    """A body that something on the way holds back."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in (b"", None):
            if chunk is None:
                raise httpx.ReadTimeout("nothing has come")
            yield chunk


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with serving(Quick()) as live:
        yield live


def base(live: Live) -> str:
    return f"http://127.0.0.1:{live.port}/api"


@asynccontextmanager
async def client_of(live: Live, way: Way | None = None) -> AsyncIterator[AsyncClient]:
    async def fetch_token() -> str:
        return live.api.issuer.token("alice")

    async with httpx.AsyncClient(transport=way or Way(), timeout=HANG) as http:
        yield AsyncClient(base(live), fetch_token, http=http)


async def following(events: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(HANG):
        return await anext(events)


async def test_changes_arrive_at_once_and_can_be_resumed(live: Live) -> None:
    seen: list[Status] = []
    async with client_of(live) as client:
        async with aclosing(client.watch("alice", on_status=seen.append)) as events:
            start = await following(events)
            assert isinstance(start, Reset)
            task = await client.create_task("alice", "Buy milk")
            created = await following(events)
            assert created == Changed(task, created.sync_token)
            assert seen == ["connecting", "live"]
        await client.update_task("alice", task.id, title="Bread")
        await client.delete_task("alice", task.id)
        async with aclosing(client.watch("alice", since=created.sync_token)) as events:
            gone = await following(events)
            assert isinstance(gone, Deleted)
            assert (gone.task_id, gone.revision) == (task.id, task.revision + 2)


async def test_nothing_is_lost_when_streams_break(live: Live) -> None:
    way = Way()
    async with client_of(live, way) as client, aclosing(client.watch("alice", times=QUICK)) as events:
        await following(events)
        for title in ("Milk", "Bread", "Eggs"):
            task = await client.create_task("alice", title)
            found = await following(events)
            assert isinstance(found, Changed)
            assert found.task == task, "each once, in order"
            await way.streams[-1].aclose()
        assert way.resumed[0] is None
        assert all(way.resumed[1:])


@pytest.mark.parametrize("is_held", [True, False], ids=["held back", "an error page"])
async def test_where_there_is_no_stream_changes_are_polled(live: Live, *, is_held: bool) -> None:
    way, seen = Way(), list[Status]()
    headers = {"Content-Type": "text/event-stream"}
    way.instead = lambda: httpx.Response(200, headers=headers, stream=Held()) if is_held else httpx.Response(502)
    async with client_of(live, way) as client:
        start = [page async for page in client.changes("alice")][-1].sync_token
        task = await client.create_task("alice", "Buy milk")
        watch = client.watch("alice", since=start, times=QUICK, on_status=seen.append)
        async with aclosing(watch) as events:
            created = await following(events)
            assert isinstance(created, Changed)
            assert created.task == task
            await client.delete_task("alice", task.id)
            gone = await following(events)
            assert isinstance(gone, Deleted)
            assert gone.task_id == task.id
            assert "polling" in seen
            if not is_held:  # a stream is tried again between the polls
                way.instead = None
                other = await client.create_task("alice", "Bread")
                found = await following(events)
                assert isinstance(found, Changed)
                assert found.task == other


async def test_a_position_that_is_gone_begins_anew(live: Live) -> None:
    async with client_of(live) as client, aclosing(client.watch("alice", since="nonsense", times=QUICK)) as events:
        assert isinstance(await following(events), Reset)


async def test_a_watch_ends_with_the_session(live: Live) -> None:
    async def no_session() -> None:
        return None

    async with AsyncClient(base(live), no_session) as client:
        with pytest.raises(Unauthorized):
            async with aclosing(client.watch("alice")) as events:
                await following(events)


class Recorded(httpx.SyncByteStream):
    """A stream of one event that stays open until it is closed."""

    is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"event: ready\nid: a\ndata: {}\n\n"
        raise AssertionError("the caller has left the loop")

    def close(self) -> None:
        self.is_closed = True


def test_leaving_the_loop_of_the_synchronous_client_closes_the_connection() -> None:
    stream = Recorded()
    headers = {"Content-Type": "text/event-stream"}
    network = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=stream))
    with Client("http://api.test/api", lambda: "a.b.c", http=httpx.Client(transport=network)) as client:
        events = client.watch("alice")
        assert next(events) == Reset("a")
        assert not stream.is_closed
        events.close()  # as at the end of a loop that is left
        assert stream.is_closed


def test_closing_the_synchronous_client_ends_a_watch_that_waits_on_another_thread() -> None:
    """The server never sends anything after `ready`."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: ready\nid: a\ndata: {}\n\n"
    found, is_following = list[Event](), threading.Event()

    def watch(client: Client) -> None:
        for event in client.watch("alice", times=WatchTimes(silence=10 * HANG)):
            found.append(event)
            is_following.set()
        found.append(Reset("ended"))

    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Client(f"http://127.0.0.1:{server.getsockname()[1]}/api", lambda: "a.b.c")
        thread = threading.Thread(target=watch, args=[client], daemon=True)
        thread.start()
        with server.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(head)
            assert is_following.wait(HANG)
            client.close()
            thread.join(HANG)
            assert not thread.is_alive()
    assert found == [Reset("a"), Reset("ended")]


async def test_the_synchronous_client_watches_in_a_thread_while_another_changes(live: Live) -> None:
    ready = threading.Event()

    def watch(client: Client) -> list[Event]:
        found = []
        for event in client.watch("alice"):
            found.append(event)
            ready.set()
            if len(found) == 3:
                break
        return found

    def change(client: Client) -> str:
        assert ready.wait(HANG)
        task = client.create_task("alice", "Buy milk")
        client.set_completed("alice", task.id, True, revision=task.revision)
        assert [one.completed for one in client.list_tasks("alice")] == [True]
        assert [page.is_reset for page in client.changes("alice")] == [True]
        return task.id

    with Client(base(live), lambda: live.api.issuer.token("alice")) as client:
        async with asyncio.timeout(HANG):
            events, task_id = await asyncio.gather(asyncio.to_thread(watch, client), asyncio.to_thread(change, client))
    assert isinstance(events[0], Reset)
    changed = [event.task for event in events if isinstance(event, Changed)]
    assert [(task.id, task.completed) for task in changed] == [(task_id, False), (task_id, True)]
