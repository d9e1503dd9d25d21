"""uvicorn's HTTP/1.1 protocol, hardened, with problems for requests that can't be parsed."""

import asyncio
import logging
import re
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import httptools
import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.server.response_cycle import FastResponseCycle
from adapters.http.server.write_deadline import STALL_TIMEOUT, Backlog, WriteDeadline

logger = logging.getLogger(__name__)

MAX_HEAD: Final = 64 * 1024
"""Bytes that may arrive without completing headers or a part of a body; then the connection is closed.

httptools has no limit of its own. Headers between 32 KiB and this are refused by `front`.
"""

MAX_PIPELINED: Final = 32
"""Requests of a connection that wait for the responses before theirs; the connection closes after the last of them."""

_UNKNOWN_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64} [^ \r\n]+ HTTP/1\.[01]\r?\n")
_NO_REQUEST: Final = "This is not an HTTP/1.1 request (RFC 9112)."
_TOO_LARGE: Final = "The request's header fields are too large: 32 KiB at most."


class HardenedHttpProtocol(HttpToolsProtocol):
    """Responds with a problem to what the parser refuses, and corrects how uvicorn treats some requests.

    Headers and trailers without end are cut off. Trailers are dropped: uvicorn would add them to the headers, where
    they could smuggle in credentials (RFC 9110 §6.5.1). An Upgrade is declined by ignoring it (§7.8): uvicorn would
    lose the body, and read it as the next request. A request that can't be parsed is refused after the responses to the
    requests before it. A connection that the parser takes for ended is closed; uvicorn would keep it and lose what
    comes after, such as the next request of a proxy. A request waits until the response before it is sent.
    """

    stall_timeout = STALL_TIMEOUT
    backlog = Backlog()
    """Shared by all connections of the process."""

    _unread = 0
    _current: RequestResponseCycle | None = None
    """The request that the application has; `cycle` is the newest one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin a connection. Writing is paused as soon as, and as long as, something is unsent."""
        super().connection_made(transport)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)  # an error, not a silent loss
        transport.set_write_buffer_limits(high=0)
        self._deadline = WriteDeadline(transport, self.loop, self.stall_timeout, self.backlog)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free what the connection holds; the request in progress learns that its client has gone."""
        super().connection_lost(exc)
        self._deadline.cancel()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if (current := self._unanswered_current()) is not None:
            current.disconnected = True
            current.message_event.set()
            if isinstance(current, FastResponseCycle):
                current.end_stream()
        self._current = self.cycle = None  # type: ignore[assignment]  # as before the first request

    def shutdown(self) -> None:
        """The server stops: end the stream that is being sent, and those that wait for their turn."""
        super().shutdown()
        for cycle in {self._current, self.cycle, *(cycle for cycle, _ in self.pipeline)}:
            if isinstance(cycle, FastResponseCycle) and not cycle.response_complete:
                cycle.stop()
        current = self._unanswered_current()
        if current is not None and current.response_started and self.flow.write_paused:
            self._deadline.abort()  # its client does not read: there is no time to wait for it

    def pause_writing(self) -> None:
        """The client has not yet taken all of a response."""
        super().pause_writing()
        self._deadline.start()

    def resume_writing(self) -> None:
        """Everything is sent: start the next request, if it waits for this."""
        super().resume_writing()
        self._deadline.cancel()
        if self.pipeline and self._unanswered_current() is None and not self.transport.is_closing():
            self._start_asgi_task(*self.pipeline.pop())

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one with a response that is still being sent is not idle."""
        if self.flow.write_paused:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        self._unset_keepalive_if_required()
        self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            if _UNKNOWN_METHOD.match(data):
                self._refuse(HTTPStatus.NOT_IMPLEMENTED, "This server does not know this method (RFC 9110 §9.1).")
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, _NO_REQUEST)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, _NO_REQUEST)
        else:
            if self._unread > MAX_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_headers_complete(self) -> None:
        """The headers are complete; a body may follow, and a trailer, which is dropped.

        Raises:
            httptools.HttpParserError: too many requests wait; the parser stops, and the newest one is the last.
        """
        self._unread = 0
        if len(self.pipeline) >= MAX_PIPELINED:
            raise httptools.HttpParserError
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
        """The request is complete; the parser decides now, after the trailer, whether it reads another one."""
        self._unread = 0
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self.cycle.more_body = False
        if not self.parser.should_keep_alive():
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()

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
        if self.flow.write_paused:
            self.pipeline.append((cycle, app))  # the end that is taken from
            self.flow.pause_reading()
            return
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Respond to what can't be parsed, after the requests before it, and close the connection."""
        if self.transport.is_closing():
            return
        newest: RequestResponseCycle | None = self.cycle
        before = self._last_unanswered()
        if before is not None:
            before.keep_alive = False  # its response is the last
            self.flow.pause_reading()
            return
        if newest is None or not (newest.more_body and newest.response_started):  # else it has its response
            self.transport.write(refusal(status, detail))
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
        return self.pipeline[0][0] if self.pipeline else self._unanswered_current()

    def _unanswered_current(self) -> RequestResponseCycle | None:
        return None if self._current is None or self._current.response_complete else self._current


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """The response to what is no request, logged like those of requests: a problem that ends the connection."""
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
