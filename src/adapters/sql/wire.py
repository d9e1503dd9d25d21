"""Messages of PostgreSQL's protocol: those that run a prepared statement, and the answers to them.

See "Frontend/Backend Protocol" in PostgreSQL's documentation, version 3.0. All values are sent in binary format.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from asyncpg.pgproto.pgproto import UUID
from attrs import define, field

Answer = tuple[list[bytes], bytes | None, dict[int, bytes]]
"""To one Sync: the rows, the fields of an error, and the descriptions of a statement by their kind."""

_HEAD: Final = struct.Struct("!Bi")
_LENGTH: Final = struct.Struct("!i")
_INT4: Final = struct.Struct("!ii")
_INT8: Final = struct.Struct("!iq")
_COUNT: Final = struct.Struct("!h")
_NULL: Final = _LENGTH.pack(-1)
_BINARY: Final = b"\0\1\0\1"
"""One format code for all values: binary."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_ROW, _READY, _ERROR, _PARAMETERS, _COLUMNS = b"DZEtT"
_IGNORED: Final = frozenset(b"12CnINSA")
"""Completions without content, notices, changed settings, and notifications."""
_KNOWN: Final = _IGNORED | frozenset(b"DZEtT")


class ProtocolError(Exception):
    """The server sent what it never sends in answer to these messages."""


class UnsupportedType(Exception):
    """A statement has a parameter or a column of a type that is not in CODECS."""


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + _LENGTH.pack(len(body) + 4) + body


_SYNC: Final = _message(b"S", b"")
_EXECUTE_AND_SYNC: Final = _message(b"E", b"\0\0\0\0\0") + _SYNC
TERMINATE: Final = _message(b"X", b"")


def prepare_message(name: str, sql: str) -> bytes:
    """Parse a statement, describe it, and end the transaction."""
    text = b"%b\0%b\0\0\0" % (name.encode(), sql.encode())
    return _message(b"P", text) + _message(b"D", b"S%b\0" % name.encode()) + _SYNC


def _field(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _encode_instant(value: datetime) -> bytes:
    return _INT8.pack(8, (value - _EPOCH) // _MICROSECOND)


def _decode_instant(value: bytes) -> datetime:
    return _EPOCH + timedelta(0, 0, int.from_bytes(value, signed=True))


def _encode_numbers(values: Sequence[int]) -> bytes:
    """An array of one dimension, whose elements are of type int8 and not null."""
    head = struct.pack("!iiiii", 1 if values else 0, 0, 20, len(values), 1)
    return _field((head if values else head[:12]) + b"".join([_INT8.pack(8, value) for value in values]))


def _decode_number(value: bytes) -> int:
    return int.from_bytes(value, signed=True)


_TEXT: Final = (lambda value: _field(value.encode()), bytes.decode)
_OF_TYPE: Final[dict[int, tuple[Callable[[Any], bytes], Callable[[bytes], Any] | None]]] = {
    16: (lambda value: b"\0\0\0\1\1" if value else b"\0\0\0\1\0", lambda value: value == b"\1"),  # bool
    17: (_field, bytes),  # bytea
    20: (lambda value: _INT8.pack(8, value), _decode_number),  # int8
    23: (lambda value: _INT4.pack(4, value), _decode_number),  # int4
    25: _TEXT,  # text
    1016: (_encode_numbers, None),  # int8[]
    1043: _TEXT,  # varchar
    1184: (_encode_instant, _decode_instant),  # timestamptz
    2950: (lambda value: _field(value.bytes), UUID),  # uuid
}
"""For each type's number, how a parameter is written, with its length, and how a column is read."""


class PreparedStatement:
    """A statement that a connection has prepared.

    Raises:
        UnsupportedType: it has a parameter or a column of another type than those above.
    """

    def __init__(self, name: str, descriptions: dict[int, bytes]) -> None:
        parameters, columns = _parameter_types(descriptions), _column_types(descriptions)
        try:
            self._encoders = [_OF_TYPE[number][0] for number in parameters]
            self._decoders = [_OF_TYPE[number][1] for number in columns]
        except KeyError as error:
            raise UnsupportedType(str(error)) from None
        if None in self._decoders:
            raise UnsupportedType("a column is an array")
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
        return b"".join((b"B", _LENGTH.pack(len(body) + 4), body, _EXECUTE_AND_SYNC))

    def rows(self, found: list[bytes]) -> list[tuple[Any, ...]]:
        """The rows in Python's types, those of asyncpg."""
        return [self._row(row) for row in found]

    def _row(self, row: bytes) -> tuple[Any, ...]:
        values: list[Any] = []
        at, unpack = 0, _LENGTH.unpack_from
        for decode in self._decoders:
            (size,) = unpack(row, at)
            at += 4
            if size < 0:
                values.append(None)
            else:
                values.append(decode(row[at : at + size]))  # type: ignore[misc]  # none is None: see __init__
                at += size
        return tuple(values)


def _parameter_types(descriptions: dict[int, bytes]) -> list[int]:
    body = descriptions.get(_PARAMETERS, b"\0\0")
    return [_LENGTH.unpack_from(body, at)[0] for at in range(2, len(body), 4)]


def _column_types(descriptions: dict[int, bytes]) -> list[int]:
    body = descriptions.get(_COLUMNS, b"\0\0")
    types, at = [], 2
    for _ in range(_COUNT.unpack_from(body)[0]):
        at = body.index(b"\0", at) + 1  # after the name: table and column (6 bytes), type (4), size and format (8)
        types.append(_LENGTH.unpack_from(body, at + 6)[0])
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
            if size < _LENGTH.size or kind not in _KNOWN:
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
