"""Messages of PostgreSQL's protocol: those that run a prepared statement, and the answers to them.

See "Frontend/Backend Protocol" in PostgreSQL's documentation, version 3.0. All values are sent in binary format.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from attrs import define, field

from adapters.sql.wire_values import LENGTH, Row, encoders, row_decoder

Answer = tuple[list[bytes], bytes | None, dict[int, bytes]]
"""To one Sync: the rows, the fields of an error, and the descriptions of a statement by their kind."""

_HEAD: Final = struct.Struct("!Bi")
_COUNT: Final = struct.Struct("!h")
_NULL: Final = LENGTH.pack(-1)
_BINARY: Final = b"\0\1\0\1"
"""One format code for all values: binary."""

_ROW, _READY, _ERROR, _PARAMETERS, _COLUMNS = b"DZEtT"
_IGNORED: Final = frozenset(b"12CnINSA")
"""Completions without content, notices, changed settings, and notifications."""
_KNOWN: Final = _IGNORED | frozenset(b"DZEtT")


class ProtocolError(Exception):
    """The server sent what it never sends in answer to these messages."""


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + LENGTH.pack(len(body) + 4) + body


_SYNC: Final = _message(b"S", b"")
_EXECUTE_AND_SYNC: Final = _message(b"E", b"\0\0\0\0\0") + _SYNC
TERMINATE: Final = _message(b"X", b"")


def prepare_message(name: str, sql: str) -> bytes:
    """Parse a statement, describe it, and end the transaction."""
    text = b"%b\0%b\0\0\0" % (name.encode(), sql.encode())
    return _message(b"P", text) + _message(b"D", b"S%b\0" % name.encode()) + _SYNC


class PreparedStatement:
    """A statement that a connection has prepared.

    Raises:
        UnsupportedType: it has a parameter or a column of a type that `wire_values` does not know.
    """

    def __init__(self, name: str, descriptions: dict[int, bytes]) -> None:
        parameters = _parameter_types(descriptions)
        self._encoders = encoders(parameters)
        self._decode = row_decoder(_column_types(descriptions))
        self._head = b"\0%b\0%b%b" % (name.encode(), _BINARY, _COUNT.pack(len(parameters)))

    def bind(self, arguments: Sequence[Any]) -> bytes:
        """Run it with these arguments as a transaction of its own.

        Raises:
            ValueError, TypeError, AttributeError or struct.error: an argument is not of its parameter's type.
        """
        fields = [
            _NULL if value is None else encode(value) for encode, value in zip(self._encoders, arguments, strict=True)
        ]
        body = b"".join((self._head, *fields, _BINARY))
        return b"".join((b"B", LENGTH.pack(len(body) + 4), body, _EXECUTE_AND_SYNC))

    def rows(self, found: list[bytes]) -> list[Row]:
        """The rows in Python's types, those of asyncpg."""
        return [*map(self._decode, found)]


def _parameter_types(descriptions: dict[int, bytes]) -> list[int]:
    body = descriptions.get(_PARAMETERS, b"\0\0")
    return [LENGTH.unpack_from(body, at)[0] for at in range(2, len(body), 4)]


def _column_types(descriptions: dict[int, bytes]) -> list[int]:
    body = descriptions.get(_COLUMNS, b"\0\0")
    types, at = [], 2
    for _ in range(_COUNT.unpack_from(body)[0]):
        at = body.index(b"\0", at) + 1  # after the name: table and column (6 bytes), type (4), size and format (8)
        types.append(LENGTH.unpack_from(body, at + 6)[0])
        at += 18
    return types


def error_of(fields: bytes) -> "asyncpg.PostgresError":
    """The driver's exception for the fields of an error."""
    texts = [text.decode(errors="replace") for text in fields.split(b"\0") if text]
    made: asyncpg.PostgresError = asyncpg.PostgresError.new({text[0]: text[1:] for text in texts})
    return made


@define
class AnswerParser:
    """Splits what a server sends into the answers to each Sync."""

    _rest: bytes = field(init=False, default=b"")
    _rows: list[bytes] = field(init=False, factory=list)
    _error: bytes | None = field(init=False, default=None)
    _descriptions: dict[int, bytes] = field(init=False, factory=dict)

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that are complete now.

        Raises:
            ProtocolError: the server sent something else; nothing more can be read.
        """
        data = self._rest + data if self._rest else data
        answers: list[Answer] = []
        at, end, unpack, rows = 0, len(data), _HEAD.unpack_from, self._rows
        while end - at >= _HEAD.size:
            kind, size = unpack(data, at)
            start, stop = at + _HEAD.size, at + 1 + size
            if size < LENGTH.size or kind not in _KNOWN:
                raise ProtocolError
            if stop > end:
                break
            if kind == _ROW:
                rows.append(data[start + 2 : stop])
            elif kind == _READY:
                if data[start:stop] != b"I":
                    raise ProtocolError  # a transaction is open: it would be another statement's, too
                answers.append((rows, self._error, self._descriptions))
                self._rows = rows = []
                self._error, self._descriptions = None, {}
            elif kind == _ERROR:
                self._error = data[start:stop]
            elif kind not in _IGNORED:
                self._descriptions[kind] = data[start:stop]
            at = stop
        self._rest = data[at:]
        return answers
