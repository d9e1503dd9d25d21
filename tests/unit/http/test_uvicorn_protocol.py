"""A whole answer, sent at once, is to the byte what uvicorn makes of its parts."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from adapters.http.cors import Cors
from adapters.http.front import Edge
from adapters.http.responses import COMPLETE_RESPONSE, Response
from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from domain.errors import InvalidToken

GET = b"GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n"
JSON = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


class Served:
    """A connection whose requests get one answer, whole or in parts."""

    def __init__(self, answer: ASGIApp, *, whole: bool) -> None:
        self.wire = Wire()
        self.sent_whole = 0

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert COMPLETE_RESPONSE in scope["extensions"]
            self.sent_whole += whole
            await answer(scope if whole else scope | {"extensions": None}, receive, send)

        config = Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Thu, 26 Nov 2026 12:00:00 GMT")]
        self.protocol = HardenedHttpProtocol(config, state, {})
        self.protocol.connection_made(self.wire)

    async def ask(self, data: bytes) -> None:
        self.protocol.data_received(data)
        await self.end()

    async def end(self) -> None:
        """Let all that has come be answered."""
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
    "answer",
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
    ids=lambda answer: f"{answer.status} {answer.headers} {answer.body!r}",
)
async def test_whole_or_in_parts_the_same_bytes_go_out(served: list[Served], answer: Response, request_: bytes) -> None:
    whole, parts = Served(answer, whole=True), Served(answer, whole=False)
    served += [whole, parts]
    await whole.ask(request_)
    await parts.ask(request_)
    assert b"".join(whole.wire.writes) == b"".join(parts.wire.writes)
    assert whole.wire.closed == parts.wire.closed
    assert whole.sent_whole


async def test_a_whole_answer_is_one_write_that_takes_no_parts(
    served: list[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Served(Response(200, JSON, b"{}"), whole=True)
    served.append(one)

    async def in_parts(_: RequestResponseCycle, message: Any) -> None:
        raise AssertionError(message)

    monkeypatch.setattr(RequestResponseCycle, "send", in_parts)
    for _ in range(3):
        await one.ask(GET)
    assert len(one.wire.writes) == 3
    assert len(set(one.wire.writes)) == 1


async def refuse(_: Scope, __: Receive, ___: Send) -> None:
    raise InvalidToken("It is nobody's.")


@pytest.mark.parametrize("app", [Response(200, JSON, b"{}"), Edge(refuse, Cors.of(()))], ids=["answered", "refused"])
async def test_nothing_of_a_request_is_left_for_the_garbage_collector(served: list[Served], app: ASGIApp) -> None:
    one = Served(app, whole=True)
    served.append(one)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await one.ask(GET)
        cycles = [it for it in gc.get_objects() if isinstance(it, RequestResponseCycle) and it.scope["path"] == "/x"]
    finally:
        gc.enable()
    assert len(cycles) == 1  # the connection's last


async def test_nothing_is_sent_to_who_has_gone_nor_before_there_is_room(served: list[Served]) -> None:
    one = Served(Response(200, JSON, b"{}"), whole=True)
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
