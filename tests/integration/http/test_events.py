"""GET …/tasks/events as its clients see it, on a real server; the lists are in memory."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress

import httpx
import pytest
from attrs import field, frozen

from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from adapters.http.server.write_deadline import STALL_TIMEOUT
from adapters.memory.access import MemoryAuditLog
from adapters.memory.task_lists import MemoryTaskList, MemoryTaskLists
from application.ports import AuditLog, TaskList, TaskLists
from domain.audit import AuditKind
from domain.identity import UserId
from domain.revocation import REVOKED
from domain.task import Revisions
from domain.task_list import NotModified, TaskPage, TaskQuery
from tests.support.api import ORIGIN, replacing
from tests.support.live import EVENTS, HANG, SOON, Event, Live, Quick, serving
from tests.support.service import HOST
from tests.support.tokens import ACCOUNT_PURGED

LIST = "/api/alice/tasks"


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with serving(Quick()) as live:
        yield live


@frozen
class HeldLists(MemoryTaskLists):
    """Lists that are not read before that is allowed."""

    may_read: asyncio.Event = field(factory=asyncio.Event, kw_only=True)

    def open(self, owner: UserId) -> TaskList:
        return HeldList(self._lists[owner], self.may_read)


@frozen
class HeldList(MemoryTaskList):
    may_read: asyncio.Event

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        await self.may_read.wait()
        return await super().page(query, known=known)


async def token(live: Live) -> str:
    """The list's present sync token."""
    found: str = (await live.api("GET", f"{LIST}/changes")).json()["sync_token"]
    return found


async def until(check: Callable[[], bool], *, within: float = HANG) -> None:
    async with asyncio.timeout(within):
        while not check():  # noqa: ASYNC110  (the server's work, which sends no signal)
            await asyncio.sleep(0.01)


class TestStart:
    async def test_a_stream_begins_with_a_delay_for_its_successor_and_the_lists_present_token(self, live: Live) -> None:
        await live.api.task()
        async with live.stream() as stream:
            assert await stream.next() == Event("ready", {}, await token(live))
            assert stream.retry is not None
            assert 1000 <= stream.retry <= 5000
            headers = stream.response.headers
            assert headers["Cache-Control"] == "no-store, no-transform"
            assert headers["X-Accel-Buffering"] == "no"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert {"X-Request-Id", "RateLimit", "Vary"} <= {
                name.title().replace("Ratelimit", "RateLimit") for name in headers
            }

    async def test_the_delays_of_many_clients_are_spread(self, live: Live) -> None:
        delays = set()
        for _ in range(10):
            async with live.stream() as stream:
                await stream.next("ready")
                delays.add(stream.retry)
        assert len(delays) > 5

    async def test_each_change_is_an_event_whose_id_is_the_token_after_it(self, live: Live) -> None:
        async with live.stream() as stream:
            await stream.next("ready")
            task = await live.api.task()
            assert await stream.next() == Event("task.changed", task, await token(live))
            path = f"{LIST}/{task['id']}"
            done = (await live.api("PATCH", f"{path}/complete")).json()
            assert await stream.next() == Event("task.changed", done, await token(live))
            await live.api("DELETE", path)
            gone = {"id": task["id"], "revision": 3}
            assert await stream.next() == Event("task.deleted", gone, await token(live))
            back = (await live.api("POST", f"{path}/restore")).json()
            assert await stream.next() == Event("task.changed", back, await token(live))

    async def test_another_users_changes_do_not_show(self, live: Live) -> None:
        async with live.stream() as stream:
            await stream.next("ready")
            await live.api.task("his", user="bob")
            task = await live.api.task("hers")
            assert (await stream.next("task.changed")).data == task

    @pytest.mark.parametrize("path", [EVENTS, f"{EVENTS}/", "/api/%61lice/tasks/events"])
    async def test_any_spelling_of_the_path_works(self, live: Live, path: str) -> None:
        async with live.stream(path) as stream:
            await stream.next("ready")

    async def test_it_is_one_users_own_and_read_only(self, live: Live) -> None:
        assert (await live.api("GET", EVENTS, user="bob")).status_code == 403
        assert (await live.api.http.get(EVENTS)).status_code == 401
        refused = await live.api("POST", EVENTS, json={"title": "x"})
        assert refused.status_code == 405
        assert set(refused.headers["Allow"].split(", ")) - {"OPTIONS"} == {"GET", "HEAD"}

    @pytest.mark.parametrize("query", ["limit=1", "since=x&since=x", "access_token=x", "x"])
    async def test_a_parameter_that_is_none_is_422(self, live: Live, query: str) -> None:
        assert (await live.api("GET", f"{EVENTS}?{query}")).status_code == 422

    async def test_head_has_the_headers_and_ends(self, live: Live) -> None:
        for _ in range(20):  # it is no stream that would count
            answer = await live.api("HEAD", EVENTS)
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["Content-Type"] == "text/event-stream"
            assert answer.headers["Cache-Control"] == "no-store, no-transform"
        assert "evo_todo_streams{" in (await live.api.http.get("/metrics")).text

    async def test_a_page_of_an_allowed_origin_can_read_it(self, live: Live) -> None:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        asked["Access-Control-Request-Headers"] = "authorization,last-event-id"
        allowed = (await live.api.http.options(EVENTS, headers=asked)).headers["Access-Control-Allow-Headers"]
        assert {"authorization", "last-event-id"} <= set(allowed.lower().split(", "))
        async with live.stream(Origin=ORIGIN) as stream:
            assert stream.response.headers["Access-Control-Allow-Origin"] == ORIGIN
        async with live.stream(Origin="https://evil.example.com") as stream:
            assert "Access-Control-Allow-Origin" not in stream.response.headers

    async def test_http_1_0_gets_the_same_without_chunks(self, live: Live) -> None:
        reader, writer = await asyncio.open_connection(HOST, live.port)
        writer.write(f"GET {EVENTS} HTTP/1.0\r\nAuthorization: Bearer {live.api.issuer.token()}\r\n\r\n".encode())
        async with asyncio.timeout(HANG):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"transfer-encoding" not in head.lower()
            assert re.fullmatch(
                rb"retry: \d{4}\n\nevent: ready\nid: \S+\ndata: \{\}\n\n", await reader.readuntil(b"}\n\n")
            )
            live.stop()
            assert await reader.read() == b'event: end\ndata: {"reason":"stopping"}\n\n'
        writer.close()

    async def test_while_a_stream_is_open_the_list_answers_others(self, live: Live) -> None:
        async with live.stream() as one, live.stream() as two:
            await one.next("ready")
            await two.next("ready")
            task = await live.api.task()
            assert (await live.api("GET", LIST)).json()["data"] == [task]
            assert (await one.next("task.changed")) == (await two.next("task.changed"))


class TestResume:
    @pytest.mark.parametrize("by", ["header", "query", "header before query"])
    async def test_what_was_missed_since_an_event_comes_first(self, live: Live, by: str) -> None:
        async with live.stream() as stream:
            await stream.next("ready")
            one, two = await live.api.task("one"), await live.api.task("two")
            last = (await stream.next("task.changed")).id
            await stream.next("task.changed")
        await live.api("DELETE", f"{LIST}/{one['id']}")
        await live.api("PATCH", f"{LIST}/{two['id']}/complete")
        done = (await live.api("PUT", f"{LIST}/{two['id']}", json={"title": "2"})).json()
        query = {"header": "", "query": f"?since={last}", "header before query": f"?since={await token(live)}"}[by]
        async with live.stream(EVENTS + query, last_id=None if by == "query" else last) as stream:
            assert await stream.next() == Event("ready", {}, last)
            gone = await stream.next("task.deleted")
            changed = await stream.next("task.changed")
            assert (gone.data["id"], changed.data) == (one["id"], done)
            assert changed.id == await token(live)

    async def test_a_page_of_changes_and_a_stream_fit_together(self, live: Live) -> None:
        tasks = [await live.api.task(f"{number}") for number in range(3)]
        page = (await live.api("GET", f"{LIST}/changes?limit=2")).json()
        async with live.stream(last_id=page["sync_token"]) as stream:
            await stream.next("ready")
            changed = await stream.next("task.changed")
            assert [*page["data"], changed.data] == tasks
        rest = (await live.api("GET", f"{LIST}/changes?since={changed.id}")).json()
        assert (rest["data"], rest["has_more"]) == ([], False)

    async def test_many_that_were_missed_come_in_order_with_rising_ids_and_none_twice(self, live: Live) -> None:
        nothing = await token(live)
        await asyncio.gather(*(live.api.task(f"{number}", description="x" * 2000) for number in range(200)))
        async with live.stream(last_id=nothing) as stream:
            await stream.next("ready")
            events = [await stream.next("task.changed") for _ in range(200)]
        assert [event.data["revision"] for event in events] == [*range(1, 201)]
        assert len({event.id for event in events}) == 200
        assert events[-1].id == await token(live)

    @pytest.mark.parametrize("last", ["x", "a" * 20, "_" * 128, "A" * 5000, "%", "a b", "ü"])
    async def test_from_an_unknown_event_the_list_is_to_be_read_anew_and_the_stream_goes_on(
        self, live: Live, last: str
    ) -> None:
        await live.api.task()
        for query in (httpx.URL(EVENTS, params={"since": last}), None):
            headers = {} if query else {"Last-Event-ID": last.encode()}
            path = EVENTS if query is None else str(query)
            async with live.stream(path, **headers) as stream:  # type: ignore[arg-type]  # bytes, for any character
                ready = await stream.next("ready")
                assert await stream.next() == Event("reset", {}, await token(live))
                assert ready.id != await token(live)  # who loses the connection here must get the reset again
                task = await live.api.task()
                assert await stream.next() == Event("task.changed", task, await token(live))
            async with live.stream(last_id=ready.id) as stream:
                await stream.next("ready")
                await stream.next("reset")

    @pytest.mark.parametrize("break_out", ["\n", "\r", "\r\n", "\n\nevent: task.deleted\ndata: {}\n\n"])
    async def test_nothing_that_a_client_sends_becomes_an_event(self, live: Live, break_out: str) -> None:
        async with live.stream(str(httpx.URL(EVENTS, params={"since": f"x{break_out}y"}))) as stream:
            await stream.next("ready")
            await stream.next("reset")
            task = await live.api.task()
            assert (await stream.next("task.changed")).data == task

    async def test_another_lists_event_is_unknown(self, live: Live) -> None:
        his = (await live.api("GET", "/api/bob/tasks/changes", user="bob")).json()["sync_token"]
        async with live.stream(last_id=his) as stream:
            await stream.next("ready")
            await stream.next("reset")

    async def test_an_empty_event_id_is_none(self, live: Live) -> None:
        async with live.stream(f"{EVENTS}?since=", last_id="") as stream:
            assert (await stream.next("ready")).id == await token(live)
            task = await live.api.task()
            assert (await stream.next("task.changed")).data == task


async def test_a_silent_stream_has_a_heartbeat() -> None:
    async with serving(Quick(idle_after=SOON)) as live, live.stream() as stream:
        await stream.next("ready")
        waiting = asyncio.create_task(stream.next())
        await until(lambda: stream.comments >= 3)
        task = await live.api.task()
        assert (await waiting).data == task


class TestEnd:
    async def test_with_its_token(self, live: Live) -> None:
        expiring = live.api.issuer.token(exp=int(time.time()) + 2)
        async with live.stream(token=expiring) as stream, live.stream() as other:
            await stream.next("ready")
            assert await stream.rest() == [Event("end", {"reason": "token-expired"}, None)]
            assert time.time() <= int(time.time()) + 2 + HANG
            await other.next("ready")
            task = await live.api.task()
            assert (await other.next("task.changed")).data == task

    async def test_a_token_that_is_accepted_only_for_a_difference_of_clocks_opens_none_for_long(
        self, live: Live
    ) -> None:
        async with live.stream(token=live.api.issuer.token(exp=int(time.time()) - 5)) as stream:
            assert (await stream.rest())[-1].data == {"reason": "token-expired"}

    async def test_with_its_session(self, live: Live) -> None:
        tokens = [live.api.issuer.token(sid=session) for session in ("s-1", "s-2")]
        async with live.stream(token=tokens[0]) as ended, live.stream(token=tokens[1]) as other:
            await ended.next("ready")
            await other.next("ready")
            assert (await push(live, live.api.issuer.security_event(session="s-1"))).status_code == 202
            assert await ended.rest() == [Event("end", {"reason": "token-revoked"}, None)]
            task = await live.api.task()
            assert (await other.next("task.changed")).data == task

    async def test_with_its_session_is_in_the_audit_log_once(self) -> None:
        log = MemoryAuditLog()
        async with (
            serving(Quick(), replacing(AuditLog, log)) as live,
            live.stream(token=live.api.issuer.token(sid="s-1")) as stream,
        ):
            await stream.next("ready")
            await push(live, live.api.issuer.security_event(session="s-1"))
            await stream.rest()
            await until(lambda: not live.server.server_state.tasks)
            [refused] = [event for event in log.events if event.kind == AuditKind.TOKEN_REFUSED]
            assert (refused.user_id, refused.session_id, refused.reason) == ("alice", "s-1", REVOKED)
            assert refused.context is not None
            assert refused.context.request_id == stream.response.headers["X-Request-Id"]

    async def test_with_the_account(self, live: Live) -> None:
        await live.api.task()
        async with live.stream() as stream:
            await stream.next("ready")
            await push(live, live.api.issuer.security_event(ACCOUNT_PURGED))
            *_, last = await stream.rest()
            assert last == Event("end", {"reason": "token-revoked"}, None)
        await until(lambda: not live.server.server_state.tasks)

    async def test_when_the_service_stops_whose_last_words_are_sent(self) -> None:
        async with serving(Quick()) as live, AsyncExitStack() as stack:
            streams = []
            for user in ("alice", "bob", "carol"):
                for _ in range(5):
                    path, of_user = f"/api/{user}/tasks/events", live.api.issuer.token(user)
                    streams.append(await stack.enter_async_context(live.stream(path, token=of_user)))
            for stream in streams:
                await stream.next("ready")
            live.stop()
            for stream in streams:
                assert await stream.rest() == [Event("end", {"reason": "stopping"}, None)]

    async def test_one_whose_client_leaves_before_it_begins_never_does(self) -> None:
        lists = HeldLists()
        async with serving(Quick(), replacing(TaskLists, lists)) as live:
            reader, writer = await asyncio.open_connection(HOST, live.port)
            asked = f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live.api.issuer.token()}\r\n\r\n"
            writer.write(asked.encode())
            await until(lambda: bool(live.server.server_state.tasks))
            writer.close()
            await until(lambda: not live.server.server_state.connections)
            lists.may_read.set()
            await until(lambda: not live.server.server_state.tasks)
            assert not await reader.read()

    async def test_one_whose_client_leaves_is_forgotten(self, live: Live) -> None:
        async with live.stream() as stream:
            await stream.next("ready")
            assert await open_streams(live) == 1
        await until(lambda: not live.server.server_state.tasks)
        assert await open_streams(live) == 0


async def push(live: Live, event: str) -> httpx.Response:
    headers = {"Content-Type": "application/secevent+jwt"}
    return await live.api.http.post("/api/security-events", content=event, headers=headers)


async def metric(live: Live, name: str) -> float:
    """The sum of a metric's series."""
    scraped = (await live.api.http.get("/metrics")).text
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", scraped, re.MULTILINE)))


async def open_streams(live: Live) -> float:
    return await metric(live, "evo_todo_streams")


class TestLimits:
    async def test_a_user_has_so_many_streams_and_another_user_has_others(self) -> None:
        async with serving(Quick(), EVO_TODO_STREAMS_PER_USER="2") as live:
            async with live.stream() as one, live.stream() as two:
                await one.next("ready")
                await two.next("ready")
                refused = await live.api("GET", EVENTS)
                assert refused.status_code == 429
                assert refused.json()["type"].endswith("too-many-streams")
                assert int(refused.headers["Retry-After"]) > 0
                his = live.api.issuer.token("bob")
                async with live.stream("/api/bob/tasks/events", token=his) as other:
                    await other.next("ready")
                assert (await live.api("GET", LIST)).status_code == 200
            await until(lambda: not live.server.server_state.tasks)
            async with live.stream() as again:
                await again.next("ready")

    async def test_a_worker_has_so_many_streams(self) -> None:
        async with serving(Quick(), EVO_TODO_MAX_STREAMS="3") as live, AsyncExitStack() as stack:
            streams = []
            for user in ("a", "b", "c"):
                path, his = f"/api/{user}/tasks/events", live.api.issuer.token(user)
                streams.append(await stack.enter_async_context(live.stream(path, token=his)))
                await streams[-1].next("ready")
            waits = set()
            for _ in range(20):
                refused = await live.api("GET", EVENTS)
                assert refused.status_code == 503
                assert refused.json()["type"].endswith("streams-exhausted")
                waits.add(int(refused.headers["Retry-After"]))
            assert len(waits) > 3  # so that the clients do not all come back at once
            assert (await live.api("GET", LIST)).status_code == 200

    async def test_opening_one_counts_against_the_users_rate_limit(self) -> None:
        async with serving(Quick(), EVO_TODO_RATE_LIMIT="1/day") as live:
            async with live.stream() as stream:
                await stream.next("ready")
            assert (await live.api("GET", EVENTS)).json()["type"].endswith("too-many-requests")


class Impatient(HardenedHttpProtocol):
    stall_timeout = 0.5


class TestSlowReaders:
    async def deaf(self, live: Live) -> socket.socket:
        """A client that asks for a stream and reads nothing of it."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)  # noqa: FBT003
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (HOST, live.port))
        asked = f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live.api.issuer.token()}\r\n\r\n"
        await loop.sock_sendall(client, asked.encode())
        await until(lambda: bool(live.server.server_state.tasks))
        return client

    async def test_one_who_takes_nothing_is_cut_off(self) -> None:
        async with serving(Quick(), protocol=Impatient) as live:
            client = await self.deaf(live)
            for number in range(200):
                await live.api.task(f"{number}", description="x" * 2000)
            await until(lambda: not live.server.server_state.tasks)
            with pytest.raises(ConnectionResetError), suppress(BlockingIOError):
                while client.recv(1 << 20):
                    pass
            client.close()

    async def test_little_is_kept_for_one_and_what_is_missed_comes_when_it_reads(self, live: Live) -> None:
        client = await self.deaf(live)
        for number in range(300):
            await live.api.task(f"{number}", description="x" * 2000)
        task = (await live.api("GET", f"{LIST}?limit=1")).json()["data"][0]
        for _ in range(10):
            await live.api("PATCH", f"{LIST}/{task['id']}/complete")
        unsent = [protocol.transport.get_write_buffer_size() for protocol in live.server.server_state.connections]
        assert 0 < max(unsent) <= 64 * 1024
        received, loop = b"", asyncio.get_running_loop()
        async with asyncio.timeout(HANG):
            while b'"revision":310' not in received:
                received += await loop.sock_recv(client, 1 << 16)
        revisions = [*map(int, re.findall(rb'"revision":(\d+)', received))]
        assert revisions == sorted(set(revisions))
        assert {*revisions} >= {*range(2, 301), 310}
        client.close()

    @pytest.mark.parametrize("end", ["stop", "revoke"])
    async def test_one_keeps_nobody_from_ending_the_stream(self, live: Live, end: str) -> None:
        client = await self.deaf(live)
        for number in range(200):
            await live.api.task(f"{number}", description="x" * 2000)
        if end == "stop":
            live.stop()
        else:
            await push(live, live.api.issuer.security_event())
        await until(lambda: not live.server.server_state.tasks, within=STALL_TIMEOUT / 2)
        client.close()


async def test_streams_are_counted_as_such_and_not_as_slow_requests(live: Live) -> None:
    async with live.stream() as stream:
        await stream.next("ready")
        await live.api.task()
        await stream.next("task.changed")
        await asyncio.sleep(0.2)  # longer than any request
        assert await metric(live, "evo_todo_streams") == 1
        assert await metric(live, r"evo_todo_stream_events_total") == 1
        assert await metric(live, "evo_todo_stream_delay_seconds_count") == 1
    await until(lambda: not live.server.server_state.tasks)
    scraped = (await live.api.http.get("/metrics")).text
    [took] = re.findall(r'evo_todo_request_seconds_sum\{.*route="\S+/events".*\} (\S+)', scraped)
    assert float(took) < 0.2


async def test_the_stream_of_a_client_that_pipelines_goes_on_and_ends(live: Live) -> None:
    reader, writer = await asyncio.open_connection(HOST, live.port)
    asked = f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live.api.issuer.token()}\r\n\r\n"
    writer.write(asked.encode() * 3)
    async with asyncio.timeout(HANG):
        await reader.readuntil(b"data: {}\n\n")
        await live.api.task()
        await reader.readuntil(b"event: task.changed")
        live.stop()
        rest = await reader.read()
    assert rest.count(b'{"reason":"stopping"}') >= 1
    writer.close()
