"""The query parameters of a list, and cursors. They are read strictly: a typing error must not widen a query."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
from attrs import evolve

from adapters.http.problems import InvalidParameter
from domain.errors import InvalidField
from domain.task import Revision, TaskId
from domain.task_list import MAX_PAGE, MAX_SEARCH_PARTS, MAX_SEARCH_TEXT, Order, PageKey, TaskQuery

LIMIT: Final[dict[str, Any]] = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": MAX_PAGE}
"""The JSON schema of a page's limit."""

DELETED_LAST_FIRST: Final = "-deleted_at"
"""The order of deleted tasks."""

PARAMETERS = (
    (
        "deleted",
        {"type": "boolean", "default": False},
        "True: only tasks that were deleted and can be restored, the last one first, each with `deleted_at`.",
    ),
    ("completed", {"type": "boolean"}, "Only tasks that are done, or only those that are not."),
    (
        "q",
        {"type": "string", "maxLength": MAX_SEARCH_TEXT, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"},
        (
            "Only tasks in whose title or description every word occurs, in any order and whatever the case. What is in"
            f' quotation marks counts as it stands (`"buy milk"`). At most {MAX_SEARCH_PARTS} words and quoted parts.'
            " Empty asks for nothing."
        ),
    ),
    (
        "sort",
        {"type": "string", "enum": [*(order.value for order in Order), DELETED_LAST_FIRST]},
        "The order, `created_at` by default; a minus puts the newest first. `-deleted_at` is the one of deleted tasks.",
    ),
    (
        "limit",
        LIMIT,
        "How many tasks a page holds at most; fewer where they would exceed about 1 MiB: follow `next_cursor`.",
    ),
    (
        "cursor",
        {"type": "string"},
        "The `next_cursor` of the page before; the other filters stay the same. Empty: the first page.",
    ),
)
"""Name, JSON schema, and description of each."""

_NAMES = frozenset(name for name, _, _ in PARAMETERS)


def parse_query(pairs: Sequence[tuple[str, str]]) -> TaskQuery:
    """The query of these parameters.

    Raises:
        InvalidParameter: one is unknown, occurs twice, or is out of range.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in _NAMES:
            raise InvalidParameter(name, f"is not a parameter of this list; it takes {', '.join(sorted(_NAMES))}")
        if name in given:
            raise InvalidParameter(name, "must not occur twice")
        given[name] = value
    deleted = _boolean("deleted", given.get("deleted")) or False
    try:
        query = TaskQuery(
            deleted=deleted,
            completed=_boolean("completed", given.get("completed")),
            text=given.get("q", ""),
            order=_order(given.get("sort"), deleted=deleted),
            limit=parse_limit(given.get("limit", str(MAX_PAGE))),
        )
    except InvalidField as error:
        raise InvalidParameter(error.field, error.rule) from error
    cursor = given.get("cursor")
    return evolve(query, after=decode_cursor(cursor, query)) if cursor else query


@lru_cache(256)
def read_query(query_string: bytes) -> TaskQuery:
    """The query of a query string. Cached, because most clients use the same few queries.

    Raises:
        InvalidParameter: a parameter is unknown, occurs twice, or is out of range.
    """
    return parse_query(_pairs(query_string))


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)


def next_link(path: str, query_string: bytes, cursor: str) -> str:
    """The `Link` to the next page (RFC 8288), relative to the API's own address."""
    return f'<{path}?{_without_cursor(query_string)}cursor={cursor}>; rel="next"'


@lru_cache(256)
def _without_cursor(query_string: bytes) -> str:
    """The other parameters of a query, each followed by `&`."""
    return "".join([f"{urlencode([pair])}&" for pair in _pairs(query_string) if pair[0] != "cursor"])


def _boolean(name: str, text: str | None) -> bool | None:
    if text not in {None, "true", "false"}:
        raise InvalidParameter(name, "takes true or false")
    return None if text is None else text == "true"


def _order(text: str | None, *, deleted: bool) -> Order:
    if deleted:
        if text not in {None, DELETED_LAST_FIRST}:
            raise InvalidParameter("sort", f"takes {DELETED_LAST_FIRST} where deleted is true")
        return Order.UPDATED_LAST_FIRST
    try:
        return Order.CREATED if text is None else Order(text)
    except ValueError as error:
        raise InvalidParameter("sort", f"takes {', '.join(order.value for order in Order)}") from error


def parse_limit(text: str) -> int:
    """A page's limit, which may still be out of range.

    Raises:
        InvalidParameter: it is not a whole number.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_PAGE))):
        raise InvalidParameter("limit", f"takes a whole number from 1 to {MAX_PAGE}")
    return int(text)


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    filters: str
    at: datetime
    task_id: UUID
    revision: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def _filters(query: TaskQuery) -> str:
    """A fingerprint of what must stay the same from page to page; the limit may differ."""
    asked = msgspec.json.encode([query.completed, query.text, query.order.value, *([True] if query.deleted else [])])
    return sha256(asked).hexdigest()[:16]


def encode_cursor(position: PageKey, query: TaskQuery) -> str:
    """The cursor for the tasks after that position."""
    cursor = _Cursor(_filters(query), position.at, position.task_id, position.revision)
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode_cursor(text: str, query: TaskQuery) -> PageKey:
    """The position that a cursor encodes.

    Raises:
        InvalidParameter: it is not a cursor of this API, or comes from a query with other filters.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(data, type=_Cursor)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameter("cursor", "is not one that this API issued") from error
    if cursor.filters != _filters(query):
        raise InvalidParameter(
            "cursor", "belongs to a list with other filters or another order: start again without it"
        )
    if cursor.at.utcoffset() != timedelta(0):
        raise InvalidParameter("cursor", "is not one that this API issued")
    return PageKey(cursor.at, TaskId(cursor.task_id), Revision(cursor.revision))
