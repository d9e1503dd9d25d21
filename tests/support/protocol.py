"""The service's HTTP protocol without a socket, and what an independent parser makes of the same bytes."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import httptools
from attrs import define, field
from litestar.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol

EARLY: Final = "/early"
"""The path that is refused before its body is read."""


def config(app: ASGIApp) -> Config:
    """uvicorn's configuration as the service has it, but without a lifespan."""
    made = Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
    )
    made.load()
    return made


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the body and responds with 200; EARLY is 401 at once."""
    status = 401
    if scope["path"] != EARLY:
        status = 200
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


@define(eq=False)
class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written, and whether reading is paused."""

    writes: list[bytes] = field(factory=list)
    closed: bool = False
    paused: bool = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _: str, default: Any = None) -> Any:
        return default


class Connection:
    """A connection to an application; `feed` waits until the service has done all it can."""

    def __init__(self, app: ASGIApp, protocol: type[HttpToolsProtocol] = HardenedHttpProtocol) -> None:
        self.transport = MemoryTransport()
        self.protocol = protocol(config(app), ServerState(), {})
        self.protocol.connection_made(self.transport)
        self._waiting: list[bytes] = []

    async def feed(self, *pieces: bytes) -> None:
        self._waiting += pieces
        while True:
            for _ in range(8):  # turns of the loop: more than any step of the application takes
                await asyncio.sleep(0)
            if not self._waiting or self.transport.closed or self.transport.paused:
                return
            self.protocol.data_received(self._waiting.pop(0))

    @property
    def statuses(self) -> list[int]:
        """Of the responses so far, without 100 (Continue)."""
        return [status for status in statuses(b"".join(self.transport.writes)) if status != 100]

    def end(self) -> None:
        self.protocol.connection_lost(None)


def statuses(data: bytes) -> list[int]:
    """The statuses of the responses in these bytes.

    Raises:
        httptools.HttpParserError: they are not whole responses, one after the other.
    """
    found: list[int] = []

    class Responses:
        def on_message_complete(self) -> None:
            found.append(parser.get_status_code())

    parser = httptools.HttpResponseParser(Responses())
    parser.feed_data(data)
    return found


@define
class Reading:
    """What a parser that knows nothing of the service finds in the bytes of a connection."""

    begun: int = 0
    complete: int = 0
    is_over: bool = False
    """An error, or a request after which none is read."""
    offers_upgrade: bool = False
    _parser: Any = None

    @classmethod
    def of(cls, pieces: Sequence[bytes]) -> "Reading":
        reading = cls()
        reading._parser = httptools.HttpRequestParser(reading)
        try:
            for piece in pieces:
                reading._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            reading.offers_upgrade = True
        except httptools.HttpParserError:
            reading.is_over = True
        return reading

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_message_complete(self) -> None:
        self.complete += 1
        if self._parser.get_http_version() == "1.0" or not self._parser.should_keep_alive():
            self.is_over = True
            raise httptools.HttpParserError
