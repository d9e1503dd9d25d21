"""How answers leave: whole ones in one write, others' heads with the first of their bodies."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from operator import itemgetter
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from adapters.http.responses import COMPLETE_RESPONSE, to_asgi_messages

_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t"})
_USUAL: Final = frozenset(
    b"access-control-allow-credentials access-control-allow-headers access-control-allow-methods"
    b" access-control-allow-origin access-control-expose-headers access-control-max-age allow cache-control"
    b" content-length content-security-policy content-type date etag link location ratelimit ratelimit-policy"
    b" referrer-policy retry-after server vary www-authenticate x-content-type-options x-request-id".split()
)
"""Fields that say nothing of how the answer is sent."""
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_NAME: Final = itemgetter(0)
_VALUE: Final = itemgetter(1)
_HEAD: Final = b"HTTP/1.1 "
_GO_ON: Final = b"HTTP/1.1 100 "


@lru_cache(256)
def _form(names: tuple[bytes, ...]) -> bytes | None:
    """How the fields of an answer are written, their values left out; `None` where one is not usual.

    Answers of a kind have the same fields: to fill in a form costs half of what it takes to put each together.
    """
    return b"".join([b"%b: %%b\r\n" % name for name in names]) + b"\r\n" if _USUAL.issuperset(names) else None


class CoalescingTransport:
    """A transport for uvicorn's answers that holds a head back until its body comes.

    One write instead of two, and one packet: what wakes the reader costs as much as all that made the answer.
    """

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self.is_closing = transport, transport.is_closing
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send what is held and this; a head alone is held."""
        if not self._head and data.startswith(_HEAD) and not data.startswith(_GO_ON):
            self._head = data
        elif self._head or data:
            self._transport.write(self._head + data)
            self._head = b""

    def write_whole(self, data: bytes) -> None:
        """Send a head with all of its body."""
        self._transport.write(data)

    def flush(self) -> None:
        """Send what is held."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Send what is held, and close."""
        self.flush()
        self._transport.close()


class FastResponseCycle(RequestResponseCycle):
    """uvicorn's cycle of a request and its answer; takes a whole answer in one message, for half of what parts cost."""

    transport: CoalescingTransport  # type: ignore[assignment]  # all that a cycle wants of one

    async def send(self, message: Any) -> None:
        """Send it."""
        if message["type"] != COMPLETE_RESPONSE:
            await super().send(message)
        elif not self._sent(message["status"], message["headers"], message["body"]):
            for part in to_asgi_messages(message):
                await super().send(part)

    def _sent(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether it went out at once; what is not quite usual is left to uvicorn, and so is what can't be sent."""
        if (
            self.response_started
            or self.disconnected
            or not self.keep_alive
            or self.flow.write_paused
            or self.scope["method"] == "HEAD"
        ):
            return False
        fields = [*self.default_headers, *headers]
        form, values = _form(tuple(map(_NAME, fields))), tuple(map(_VALUE, fields))
        text = b"".join(values)
        if form is None or len(text.translate(None, _CONTROLS)) < len(text):
            return False
        if (b"content-length", b"%d" % len(body)) not in headers and (body or status not in _WITHOUT_BODY):
            return False
        whole = b"".join((STATUS_LINE[status], form % values, body))
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write_whole(whole)
        self.message_event.set()
        self.on_response()
        return True
