"""uvicorn's HTTP/1.1 protocol, hardened, with problems for requests that can't be parsed."""

import logging
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import httptools
import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.server.response_cycle import FastResponseCycle

logger = logging.getLogger(__name__)

MAX_HEAD: Final = 64 * 1024
"""Bytes that may arrive without completing headers or a part of a body; then the connection is closed.

httptools has no limit of its own. Headers between 32 KiB and this are refused by `front`.
"""

_TOO_LARGE: Final = "The request's header fields are too large: 32 KiB at most."


class HardenedHttpProtocol(HttpToolsProtocol):
    """Responds with a problem to what the parser refuses, and corrects how uvicorn treats some requests.

    Headers and trailers without end are cut off. Trailers are dropped: uvicorn would add them to the headers, where
    they could smuggle in credentials (RFC 9110 §6.5.1). An Upgrade is declined by ignoring it (§7.8): uvicorn would
    lose the body, and read it as the next request. A request that can't be parsed is refused after the responses to the
    requests before it.
    """

    _unread = 0
    _current: RequestResponseCycle | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        self._unset_keepalive_if_required()
        self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "This is not an HTTP/1.1 request (RFC 9112).")
        else:
            if self._unread > MAX_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_headers_complete(self) -> None:
        """The headers are complete; a body may follow, and a trailer, which is dropped."""
        self._unread = 0
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []
            cycle: Any = self.cycle  # uvicorn has just made it; its task has not begun
            cycle.__class__ = FastResponseCycle

    def on_body(self, body: bytes) -> None:
        """A part of the body has arrived; trailers and chunk sizes do not count."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._unread = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Parse the same request again without its Upgrade; the parser has read nothing after its headers."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, "This server is not a proxy.")
            return
        version = self.parser.get_http_version().encode()
        kept = [(name, value) for name, value in self.headers if name not in {b"upgrade", b"http2-settings"}]
        lines = [b"%b %b HTTP/%b" % (method, self.url, version), *(b"%b: %b" % field for field in kept)]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Respond to what can't be parsed, after the requests before it, and close the connection."""
        if self.transport.is_closing():
            return
        before = self._last_unanswered()
        if before is not None:
            before.keep_alive = False  # its response is the last
            self.flow.pause_reading()
            return
        self.transport.write(_problem(status, detail))
        self.transport.close()

    def _last_unanswered(self) -> RequestResponseCycle | None:
        """The newest complete request without a complete response; one that broke off in its body is abandoned."""
        newest: RequestResponseCycle | None = self.cycle
        if newest is None or newest.response_complete:
            return None
        if not newest.more_body:
            return newest
        newest.disconnected = True
        newest.message_event.set()
        if newest is self._current:
            return None
        self.pipeline.popleft()
        return self.pipeline[0][0] if self.pipeline else self._current


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
