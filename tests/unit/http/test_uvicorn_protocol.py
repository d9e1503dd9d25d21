"""A complete response in one write is to the byte what uvicorn sends in two."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from adapters.http.access_log import AccessLog
from adapters.http.context import TrustedProxies
from adapters.http.cors import Cors
from adapters.http.front import Front
from adapters.http.responses import Response
from adapters.http.routing import Services
from adapters.http.server.response_cycle import FastResponseCycle
from adapters.http.server.uvicorn_protocol import MAX_PIPELINED, HardenedHttpProtocol
from domain.errors import InvalidToken
from tests.support.protocol import MemoryTransport, config

GET = b"GET /health HTTP/1.1\r\nHost: api.test\r\n\r\n"
JSON = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Served:
    """A connection whose requests all get one response, sent by this service's cycle or by uvicorn's own."""

    def __init__(self, response: ASGIApp, *, fast: bool) -> None:
        self.wire = MemoryTransport()
        self.cycles: list[type[RequestResponseCycle]] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            cycle = send.__self__
            if not fast:
                cycle.__class__, send = RequestResponseCycle, cycle.send
                send = RequestResponseCycle.send.__get__(cycle)
            self.cycles.append(type(cycle))
            await response(scope, receive, send)

        state = ServerState()
        state.default_headers = [(b"date", b"Thu, 26 Nov 2026 12:00:00 GMT")]
        self.protocol = HardenedHttpProtocol(config(app), state, {})
        self.protocol.connection_made(self.wire)

    async def ask(self, data: bytes) -> None:
        self.protocol.data_received(data)
        await self.end()

    async def end(self) -> None:
        """Wait until every request has its response."""
        while self.protocol.tasks:  # noqa: ASYNC110  (uvicorn tells of it by no event)
            await asyncio.sleep(0)


@pytest.fixture
async def served() -> AsyncIterator[list[Served]]:
    made: list[Served] = []
    yield made
    for one in made:
        one.protocol.connection_lost(None)


@pytest.mark.parametrize(
    "request_",
    [GET, GET * 3, GET.replace(b"GET", b"HEAD"), GET.replace(b"1.1", b"1.0"), GET[:-2] + b"Connection: close\r\n\r\n"],
)
@pytest.mark.parametrize(
    "response",
    [
        Response(200, JSON, b"{}"),
        Response(404, [*JSON, (b"link", b'</a>; rel="b"')], b"{}"),
        Response(304, [(b"etag", b'"1"')]),
        Response(204, []),
        Response(200, [], b"unknown length"),
        Response(200, []),
        Response(200, [(b"content-length", b"0")]),
        Response(200, [(b"connection", b"close"), *JSON], b"{}"),
        Response(200, [(b"transfer-encoding", b"chunked")], b"{}"),
        Response(200, [*JSON, (b"link", b"a\r\nset-cookie: b")], b"{}"),
        Response(200, [*JSON, (b"link", b"a\nb")], b"{}"),
        Response(200, [*JSON, (b"link", b"a\rb")], b"{}"),
        Response(200, [*JSON, (b"link", b"a\x00b")], b"{}"),
        Response(200, [*JSON, (b"link", b"a\x7fb")], b"{}"),
        Response(200, [*JSON, (b"link", b"a\tb\x80")], b"{}"),
        Response(200, [*JSON, (b"x y", b"a")], b"{}"),
        Response(200, [*JSON, (b"x\r\ny", b"a")], b"{}"),
        Response(200, [*JSON, (b"Connection", b"close")], b"{}"),
        Response(200, [*JSON, (b"x", b"y")], b"{}"),
        Response(200, JSON, b"longer than said"),
        Response(200, JSON, b""),
    ],
    ids=lambda response: f"{response.status} {response.headers} {response.body!r}",
)
async def test_both_cycles_send_the_same_bytes(served: list[Served], response: Response, request_: bytes) -> None:
    fast, plain = Served(response, fast=True), Served(response, fast=False)
    served += [fast, plain]
    await fast.ask(request_)
    await plain.ask(request_)
    assert b"".join(fast.wire.writes) == b"".join(plain.wire.writes)
    assert fast.wire.closed == plain.wire.closed
    assert (set(fast.cycles), set(plain.cycles)) == ({FastResponseCycle}, {RequestResponseCycle})


async def test_a_complete_response_is_one_write_without_uvicorns_help(
    served: list[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)

    async def send(_: RequestResponseCycle, message: Any) -> None:
        raise AssertionError(message)

    monkeypatch.setattr(RequestResponseCycle, "send", send)
    for _ in range(3):
        await one.ask(GET)
    assert len(one.wire.writes) == 3
    assert len(set(one.wire.writes)) == 1


async def refuse(_: Scope, __: Receive, ___: Send) -> None:
    raise InvalidToken("The token has expired.")


@pytest.mark.parametrize(
    "app",
    [Response(200, JSON, b"{}"), Front(refuse, Services(()), Cors.of(()), TrustedProxies(), AccessLog())],
    ids=["responds", "refuses"],
)
async def test_nothing_of_a_request_is_left_for_the_garbage_collector(served: list[Served], app: ASGIApp) -> None:
    one = Served(app, fast=True)
    served.append(one)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await one.ask(GET)
        cycles = [
            it for it in gc.get_objects() if isinstance(it, RequestResponseCycle) and it.scope["path"] == "/health"
        ]
    finally:
        gc.enable()
    assert len(cycles) == 1  # the connection's last


async def test_nothing_is_sent_to_a_client_that_has_gone_nor_while_writing_is_paused(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)
    one.protocol.pause_writing()
    one.protocol.data_received(GET)
    for _ in range(5):
        await asyncio.sleep(0)
    assert one.wire.writes == []
    one.protocol.resume_writing()
    await one.end()
    assert len(one.wire.writes) == 1
    one.protocol.data_received(GET)
    one.protocol.connection_lost(ConnectionResetError())
    await one.end()
    assert len(one.wire.writes) == 1


async def test_a_request_waits_until_the_response_before_it_is_sent(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)
    await one.ask(GET)
    one.protocol.pause_writing()
    await one.ask(GET * 3)
    assert (len(one.cycles), one.wire.paused) == (1, True)
    one.protocol.resume_writing()
    while len(one.wire.writes) < 4:  # noqa: ASYNC110  (the requests are begun one after the other)
        await asyncio.sleep(0)
    assert (len(one.cycles), one.wire.paused) == (4, False)


async def test_requests_in_advance_are_limited_and_the_last_response_says_so(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)
    await one.ask(GET * 1000)
    while not one.wire.closed:  # noqa: ASYNC110  (the requests are begun one after the other)
        await asyncio.sleep(0)
    closing = [b"connection: close" in response for response in b"".join(one.wire.writes).split(b"HTTP/1.1 ")[1:]]
    assert closing == [False] * MAX_PIPELINED + [True]


async def test_what_waits_is_forgotten_when_the_client_has_gone() -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    one.protocol.pause_writing()
    one.protocol.data_received(GET * 3)
    one.protocol.connection_lost(ConnectionResetError())
    await one.end()
    assert (one.cycles, one.wire.writes, [*one.protocol.pipeline]) == ([], [], [])


async def test_an_idle_connection_is_closed_but_not_while_a_response_is_being_sent(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)
    await one.ask(GET)
    one.protocol.pause_writing()
    one.protocol.timeout_keep_alive_handler()
    assert not one.wire.closed
    one.protocol.resume_writing()
    one.protocol.timeout_keep_alive_handler()
    assert one.wire.closed


async def test_garbage_behind_a_request_that_waits_lets_it_be_answered(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)
    await one.ask(GET)
    one.protocol.pause_writing()
    await one.ask(GET + b"garbage\r\n\r\n")
    one.protocol.resume_writing()
    while not one.wire.closed:  # noqa: ASYNC110  (the request is begun now)
        await asyncio.sleep(0)
    assert len(one.cycles) == 2
    assert b"connection: close" in b"".join(one.wire.writes[1:])


async def test_a_body_that_breaks_off_while_it_waits_is_refused(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), fast=True)
    served.append(one)
    await one.ask(GET)
    one.protocol.pause_writing()
    await one.ask(b"POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n")
    assert one.wire.closed
    assert one.wire.writes[-1].startswith(b"HTTP/1.1 400 ")
