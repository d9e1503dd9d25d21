"""uvicorn's HTTP protocol, with this API's answers where the request never becomes one."""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import httptools
import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.responses import COMPLETE_RESPONSE
from adapters.http.server.response_cycle import CoalescingTransport, FastResponseCycle

logger = logging.getLogger(__name__)

MAX_HEAD: Final = 64 * 1024
"""Bytes that may arrive without a head, or a part of a body, becoming complete: then the connection is closed.

httptools has no limit of its own; a head below this one but above 32 KiB is refused in `edge`.
"""

_EXTENSIONS: Final[dict[str, dict[object, object]]] = {COMPLETE_RESPONSE: {}}
_TOO_LARGE: Final = "The request's header fields are too large: 32 KiB at most."


class HardenedHttpProtocol(HttpToolsProtocol):
    """Answers what the parser refuses with a problem, and mends what uvicorn makes of some requests.

    Heads and trailers that don't end are cut off. Trailers are dropped: uvicorn would add them to the header, where
    they could bring credentials (RFC 9110 §6.5.1). An offer to upgrade is declined by going on as if it had not been
    made (§7.8): uvicorn would lose the body, and take it for the next request. What can't be read is refused only after
    the requests before it have been answered.
    """

    _writes: "CoalescingTransport"
    _unread = 0
    _answered: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is uvicorn's own
        """Get ready for the first request."""
        super().connection_made(transport)
        self._writes = CoalescingTransport(transport)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        self._unset_keepalive_if_required()
        self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "This is no HTTP/1.1 request (RFC 9112).")
        else:
            if self._unread > MAX_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = _EXTENSIONS

    def on_headers_complete(self) -> None:
        """A head is complete: what follows is a body, and maybe a trailer, whose fields nobody sees."""
        self._unread = 0
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []
            cycle: Any = self.cycle  # uvicorn has made it, and its application begins later
            cycle.__class__, cycle.transport = FastResponseCycle, self._writes

    def on_body(self, body: bytes) -> None:
        """A part of a body has come; trailers, and the sizes of chunks, are none."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete: what follows is the next one's head."""
        self._unread = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is complete, maybe without a body."""
        self._writes.flush()
        super().on_response_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the same request again, without the offer; the parser has read nothing behind its head."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, "This is no proxy.")
            return
        version = self.parser.get_http_version().encode()
        kept = [(name, value) for name, value in self.headers if name not in {b"upgrade", b"http2-settings"}]
        lines = [b"%b %b HTTP/%b" % (method, self.url, version), *(b"%b: %b" % field for field in kept)]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer what can't be read, after what came before it, and close the connection."""
        if self.transport.is_closing():
            return
        before = self._last_before_the_fault()
        if before is not None:
            before.keep_alive = False  # its answer is the last
            self.flow.pause_reading()
            return
        self.transport.write(_problem(status, detail))
        self.transport.close()

    def _last_before_the_fault(self) -> RequestResponseCycle | None:
        """The newest whole request whose answer is due; one that broke off in its body is given up."""
        newest: RequestResponseCycle | None = self.cycle
        if newest is None or newest.response_complete:
            return None
        if not newest.more_body:
            return newest
        newest.disconnected = True
        newest.message_event.set()
        if newest is self._answered:
            return None
        self.pipeline.popleft()
        return self.pipeline[0][0] if self.pipeline else self._answered


def _problem(status: HTTPStatus, detail: str) -> bytes:
    request_id = uuid4().hex
    logger.info(
        "request", extra={"method": "-", "route": "-", "status": status.value, "ms": 0.0, "request_id": request_id}
    )
    problem = Problem(title=status.phrase, status=status, detail=detail, instance="", request_id=request_id)
    body = msgspec.json.encode(problem)
    head: dict[str, Any] = {
        "content-type": MEDIA_TYPE,
        "content-length": len(body),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-request-id": request_id,
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
