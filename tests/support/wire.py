"""A connection for raw bytes: for requests that no client library sends."""

import http.client
import json
import select
import socket
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, BinaryIO, cast

from attrs import field, frozen

from tests.support.service import HOST, TIMEOUT

_BODILESS = {HTTPStatus.CONTINUE, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@frozen
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        """Whether the body is problem details with this status."""
        return self.headers["Content-Type"] == "application/problem+json" and self.json["status"] == self.status


@frozen
class Wire:
    connection: socket.socket
    _incoming: BinaryIO = field(init=False)

    @_incoming.default
    def _open(self) -> BinaryIO:
        return cast("BinaryIO", self.connection.makefile("rb"))

    def send(self, *lines: str, body: bytes = b"") -> None:
        """Send header lines, the empty line after them, and a body."""
        self.send_bytes("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def send_bytes(self, data: bytes) -> None:
        self.connection.sendall(data)

    def has_response(self, *, within: float) -> bool:
        return bool(select.select([self.connection], [], [], within)[0])

    def response(self, *, to: str = "GET") -> Response:
        """Read one response and not a byte more."""
        line = self._incoming.readline()
        assert line, "the connection was closed without a response"
        status = int(line.split()[1])
        headers = http.client.parse_headers(self._incoming)
        assert "Transfer-Encoding" not in headers
        is_bodiless = to == "HEAD" or status in _BODILESS
        return Response(status, headers, b"" if is_bodiless else self._incoming.read(int(headers["Content-Length"])))

    def is_closed(self) -> bool:
        """Whether the server closes the connection without another byte."""
        try:
            return self._incoming.read(1) == b""
        except ConnectionResetError:
            return True


@contextmanager
def wire(port: int) -> Generator[Wire]:
    with socket.create_connection((HOST, port), timeout=TIMEOUT) as connection:
        it = Wire(connection)
        with it._incoming:
            yield it
