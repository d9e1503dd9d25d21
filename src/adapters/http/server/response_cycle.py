"""A faster way to send complete responses than uvicorn's own, and streams that end when the server stops."""

import asyncio
import sys
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from operator import itemgetter
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from adapters.http.server.write_deadline import limit_unread

LARGE_BODY: Final = 64 * 1024
"""Bytes from which a body is not copied: clients that read slowly share what the page cache holds."""

_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t"})
_KNOWN: Final = frozenset(
    b"access-control-allow-credentials access-control-allow-headers access-control-allow-methods"
    b" access-control-allow-origin access-control-expose-headers access-control-max-age allow cache-control"
    b" content-language content-length content-security-policy content-type date etag link location ratelimit"
    b" ratelimit-policy referrer-policy retry-after server vary www-authenticate x-content-type-options"
    b" x-request-id".split()
)
"""Header names that do not change how a response is sent."""
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_NAME: Final = itemgetter(0)
_VALUE: Final = itemgetter(1)


@lru_cache(256)
def _template(names: tuple[bytes, ...]) -> bytes | None:
    """The headers of a response with placeholders for their values; `None` where a name is not a known one.

    Responses of one kind have the same headers: filling in a template costs half of joining them each time.
    """
    return b"".join([b"%b: %%b\r\n" % name for name in names]) + b"\r\n" if _KNOWN.issuperset(names) else None


class FastResponseCycle(RequestResponseCycle):
    """uvicorn's request-response cycle, which sends a complete response in one write, and streams that can be ended.

    The start of a response is held until its body arrives: headers and body leave in one packet.
    """

    _start: Any = None
    _stream: "asyncio.Task[Any] | None" = None
    """What sends a stream, which need not wait for `receive`: see `end_stream`."""
    _is_stopping = False

    def stop(self) -> None:
        """The server stops: end the stream, now or when it begins."""
        self._is_stopping = True
        self.end_stream()

    def end_stream(self) -> None:
        """Cancel what sends a stream, if this is one: the client has left, or the server stops and can still send."""
        if self._stream is not None and not self.response_complete:
            self._stream.cancel()

    async def send(self, message: Any) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
            if self.waiting_for_100_continue and self.more_body:
                self.keep_alive = False  # the client may send its body now, or the next request (RFC 9110 §10.1.1)
            return
        start, self._start = self._start, None
        if start is not None:
            if self.flow.write_paused and not self.disconnected:
                await self.flow.drain()
            if not message.get("more_body") and self._send_complete(
                start["status"], start["headers"], message.get("body", b"")
            ):
                return
            if message.get("more_body"):
                self._begin_stream()
            await super().send(start)
        elif not message.get("more_body"):
            self._end_stream(message)
        await super().send(message)

    def _begin_stream(self) -> None:
        """A response without a length that goes on for long: few bytes may wait for its client, and none for ever."""
        limit_unread(self.transport)
        self._stream = asyncio.current_task()
        if self.disconnected or self._is_stopping:
            self.end_stream()
        if self.scope["http_version"] == "1.0":  # without chunks; it ends with the connection (RFC 9112 §6.3)
            self.chunked_encoding, self.expected_content_length = False, sys.maxsize

    def _end_stream(self, message: Any) -> None:
        """The last part does not wait for a slow client: the connection closes when all is sent, or takes too long."""
        if self.flow.write_paused:
            self.keep_alive = False
            self.flow.resume_writing()
        if self.chunked_encoding is False:
            self.expected_content_length = len(message.get("body", b""))

    def _send_complete(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send it in one write; False: it is unusual or can't be sent, so uvicorn must see to it."""
        if self.response_started or self.disconnected or not self.keep_alive or self.scope["method"] == "HEAD":
            return False
        fields = [*self.default_headers, *headers]
        template, values = _template(tuple(map(_NAME, fields))), tuple(map(_VALUE, fields))
        text = b"".join(values)
        if template is None or len(text.translate(None, _CONTROLS)) < len(text):
            return False
        if (b"content-length", b"%d" % len(body)) not in headers and (body or status not in _WITHOUT_BODY):
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        parts = (STATUS_LINE[status], template % values, body)
        if len(body) < LARGE_BODY:
            self.transport.write(b"".join(parts))
        else:
            self.transport.writelines(parts)
        self.message_event.set()
        self.on_response()
        return True
