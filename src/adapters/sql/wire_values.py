"""Values of PostgreSQL's protocol in binary format: how parameters are written, and how rows are read.

See "Message Data Types" and the types' send and receive functions in PostgreSQL's documentation.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncpg.pgproto.pgproto import UUID

LENGTH: Final = struct.Struct("!i")
_INT4: Final = struct.Struct("!ii")
_INT8: Final = struct.Struct("!iq")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_BOOL, _BYTES, _BIGINT, _INTEGER, _TEXT, _BIGINTS, _VARCHAR, _INSTANT, _UUID = (
    16,
    17,
    20,
    23,
    25,
    1016,
    1043,
    1184,
    2950,
)

Row = tuple[Any, ...]
Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]


class UnsupportedType(Exception):
    """A statement has a parameter or a column of a type that is not known here."""


def _field(value: bytes) -> bytes:
    return LENGTH.pack(len(value)) + value


def _encode_instant(value: datetime) -> bytes:
    return _INT8.pack(8, (value - _EPOCH) // _MICROSECOND)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(0, 0, microseconds)


def _decode_instant(value: bytes) -> datetime:
    return _instant(int.from_bytes(value, signed=True))


def _encode_numbers(values: Sequence[int]) -> bytes:
    """An array of one dimension, whose elements are of type int8 and not null."""
    head = struct.pack("!iiiii", 1 if values else 0, 0, 20, len(values), 1)
    return _field((head if values else head[:12]) + b"".join([_INT8.pack(8, value) for value in values]))


def _decode_number(value: bytes) -> int:
    return int.from_bytes(value, signed=True)


_OF_TEXT: Final[tuple[Encode, Decode]] = (lambda value: _field(value.encode()), bytes.decode)
_OF_TYPE: Final[dict[int, tuple[Encode, Decode | None]]] = {
    _BOOL: (lambda value: b"\0\0\0\1\1" if value else b"\0\0\0\1\0", lambda value: value == b"\1"),
    _BYTES: (_field, bytes),
    _BIGINT: (lambda value: _INT8.pack(8, value), _decode_number),
    _INTEGER: (lambda value: _INT4.pack(4, value), _decode_number),
    _TEXT: _OF_TEXT,
    _BIGINTS: (_encode_numbers, None),
    _VARCHAR: _OF_TEXT,
    _INSTANT: (_encode_instant, _decode_instant),
    _UUID: (lambda value: _field(value.bytes), UUID),
}
"""For each type's number, how a parameter is written, with its length, and how a column is read."""


def encoders(types: Sequence[int]) -> list[Encode]:
    """For each parameter, by the number of its type, what writes it with its length.

    Raises:
        UnsupportedType: there is none.
    """
    try:
        return [_OF_TYPE[number][0] for number in types]
    except KeyError as error:
        raise UnsupportedType(str(error)) from None


def row_decoder(types: Sequence[int]) -> Callable[[bytes], Row]:
    """What reads a row with columns of these types, into the types of asyncpg.

    Raises:
        UnsupportedType: there is no such thing.
    """
    decoders = [_OF_TYPE[number][1] if number in _OF_TYPE else None for number in types]
    if None in decoders:
        raise UnsupportedType(str(types))

    def decode(row: bytes) -> Row:
        return _decode_fields(decoders, row)  # type: ignore[arg-type]  # none is None

    numbers = len(types) - len(_TASK)
    if tuple(types[numbers:]) != _TASK or any(number != _BIGINT for number in types[:numbers]):
        return decode
    before, sizes = struct.Struct("!" + "iq" * numbers), (8,) * numbers

    def decode_task(row: bytes) -> Row:
        try:
            head = before.unpack_from(row)
            if head[::2] == sizes and (task := _decode_task(row, before.size)) is not None:
                return head[1::2] + task
        except struct.error:  # columns that are null make the row too short
            return decode(row)
        return decode(row)

    return decode_task


def _decode_fields(decoders: Sequence[Decode], row: bytes) -> Row:
    values: list[Any] = []
    at, unpack = 0, LENGTH.unpack_from
    for decode in decoders:
        (size,) = unpack(row, at)
        at += 4
        if size < 0:
            values.append(None)
        else:
            values.append(decode(row[at : at + size]))
            at += size
    return tuple(values)


# Tasks are read far more often than all else, many at a time. Read column by column, a page of 20 takes three times as
# long: longer than all the rest of its statement.

_TASK: Final = (_UUID, _VARCHAR, _TEXT, _BOOL, _INSTANT, _INSTANT, _INSTANT, _BIGINT)
"""The types of TASK_COLUMNS."""
_TASK_HEAD: Final = struct.Struct("!i16si")
"""The id, and the length of the title."""
_TASK_TAIL: Final = struct.Struct("!i?iqiqiiq")
"""What follows the description, where `deleted_at` is null."""
_SIZES: Final = (1, 8, 8, -1, 8)


def _decode_task(row: bytes, at: int) -> Row | None:
    """The columns of a task that begin there; `None` if one is null that seldom is, or the other way round."""
    id_size, task_id, size = _TASK_HEAD.unpack_from(row, at)
    if id_size != len(task_id) or size < 0:
        return None
    start = at + _TASK_HEAD.size
    at = start + size
    title = row[start:at]
    (size,) = LENGTH.unpack_from(row, at)
    start = at + LENGTH.size
    at = start + max(size, 0)
    text = None if size < 0 else row[start:at].decode()
    a, completed, b, created, c, updated, deleted, d, revision = _TASK_TAIL.unpack_from(row, at)
    if (a, b, c, deleted, d) != _SIZES:
        return None
    created_at = _instant(created)
    updated_at = created_at if updated == created else _instant(updated)
    return UUID(task_id), title.decode(), text, completed, created_at, updated_at, None, revision
