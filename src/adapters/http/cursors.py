"""Cursors: where the next page begins, in a form that clients only hand back."""

import base64
import binascii
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import msgspec

from adapters.http.problems import InvalidParameter
from domain.task import TaskId
from domain.task_list import Position, TaskQuery


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    filters: str
    at: datetime
    task_id: UUID


def _filters(query: TaskQuery) -> str:
    """A fingerprint of what must stay the same from page to page; the limit may differ."""
    asked = msgspec.json.encode([query.completed, query.text, query.order.value])
    return sha256(asked).hexdigest()[:16]


def encode_cursor(position: Position, query: TaskQuery) -> str:
    """The cursor for what lies behind that position."""
    cursor = _Cursor(_filters(query), position.at, position.task_id)
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode_cursor(text: str, query: TaskQuery) -> Position:
    """The position that a cursor stands for.

    Raises:
        InvalidParameter: this is no cursor of ours, or one from a query with other filters.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(data, type=_Cursor)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameter("cursor", "is not one that this API handed out") from error
    if cursor.filters != _filters(query):
        raise InvalidParameter("cursor", "belongs to a list with other filters or another order: ask without it first")
    if cursor.at.utcoffset() != timedelta(0):
        raise InvalidParameter("cursor", "is not one that this API handed out")
    return Position(cursor.at, TaskId(cursor.task_id))
