"""uvicorn's HTTP protocol, with this API's answers where the request never becomes one."""

from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.http.problems import MEDIA_TYPE, Problem

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and header fields after which the connection is closed; httptools itself has no limit."""


class ProblemProtocol(HttpToolsProtocol):
    """Answers what the parser refuses with a problem, and stops reading heads that don't end."""

    _head_bytes = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Count what arrives before a head is complete."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's header fields are too large: 32 KiB at most."
            )

    def on_headers_complete(self) -> None:
        """A head is complete: what follows is a body."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is complete: what follows is the next one's head."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser could not read."""
        del msg  # uvicorn's own words; ours say what to do
        self._refuse(HTTPStatus.BAD_REQUEST, "This is no HTTP/1.1 request (RFC 9112).")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        request_id = uuid4().hex
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
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()
