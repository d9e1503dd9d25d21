"""The parameters of a list, read strictly: a typing error must not widen what is asked for."""

from collections.abc import Sequence
from urllib.parse import urlencode

from adapters.http.cursors import decode_cursor
from domain.errors import InvalidField
from domain.task_list import MAX_PAGE, MAX_SEARCH_TEXT, Order, TaskQuery

PARAMETERS = (
    ("completed", {"type": "boolean"}, "Only tasks that are done, or only those that are not."),
    (
        "q",
        {"type": "string", "maxLength": MAX_SEARCH_TEXT, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"},
        "Only tasks whose title or description contains this, whatever the case. Empty asks for nothing.",
    ),
    (
        "sort",
        {"type": "string", "enum": [order.value for order in Order], "default": Order.CREATED.value},
        "The order; a minus puts the newest first.",
    ),
    (
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": MAX_PAGE},
        "How many tasks a page holds at most.",
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
    """What a query string asks for.

    Raises:
        InvalidField: a parameter is unknown, stands twice, or is out of range.
    """
    given = dict(pairs)
    for name in given:
        if name not in _NAMES:
            raise InvalidField(name, f"is no parameter of this list: take {', '.join(sorted(_NAMES))}")
    if len(given) != len(pairs):
        raise InvalidField("parameters", "stand once each")
    query = TaskQuery(
        completed=_completed(given.get("completed")),
        text=given.get("q", ""),
        order=_order(given.get("sort", Order.CREATED.value)),
        limit=_limit(given.get("limit", str(MAX_PAGE))),
    )
    if not (cursor := given.get("cursor")):
        return query
    return TaskQuery(
        completed=query.completed,
        text=query.text,
        order=query.order,
        limit=query.limit,
        after=decode_cursor(cursor, query),
    )


def next_link(path: str, pairs: Sequence[tuple[str, str]], cursor: str) -> str:
    """The `Link` to the page that follows (RFC 8288), relative to the API's own address."""
    kept = [(name, value) for name, value in pairs if name != "cursor"]
    return f'<{path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'


def _completed(text: str | None) -> bool | None:
    if text not in {None, "true", "false"}:
        raise InvalidField("completed", "takes true or false")
    return None if text is None else text == "true"


def _order(text: str) -> Order:
    try:
        return Order(text)
    except ValueError as error:
        raise InvalidField("sort", f"takes {', '.join(order.value for order in Order)}") from error


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_PAGE))):
        raise InvalidField("limit", f"takes a whole number from 1 to {MAX_PAGE}")
    return int(text)
