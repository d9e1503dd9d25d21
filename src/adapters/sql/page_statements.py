"""The SQL statements that read a page of a list."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Text,
    all_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
)

from adapters.sql.statements import as_owner, is_owned, list_value
from adapters.sql.tables import TASK_COLUMNS, tasks
from domain.task import Revisions
from domain.task_list import MAX_PAGE_BYTES, TASK_OVERHEAD, Order, TaskQuery

_0: Final = literal_column("0", Integer)
_LIMIT: Final = bindparam("limit", type_=Integer)
_MAX_BIGINT: Final = 2**63 - 1
_AFTER: Final = {
    "id": bindparam("after_id", type_=tasks.c.id.type),
    "revision": bindparam("after_revision", type_=tasks.c.revision.type),
}


def page_of(dialect: str, query: TaskQuery, known: Revisions | None, *, is_bounded: bool = False) -> Select[Any]:
    """The list's revision and a page, in one statement, so that both are of the same instant.

    It returns at least one row: if there is no task, or if the revision is known, the revision alone. A bounded one
    returns no task after the first with which the page exceeds MAX_PAGE_BYTES.
    """
    has_start, has_known = query.after is not None, known is not None
    filters = (query.deleted, query.completed, len(query.parts))
    return _page(dialect, query.order, *filters, has_start, has_known, is_bounded)


def page_parameters(query: TaskQuery, known: Revisions | None, limit: int | None = None) -> dict[str, Any]:
    """The parameters of `page_of` besides the owner; the limit is one more than the page, to see if another follows."""
    parameters: dict[str, Any] = {"limit": query.limit + 1 if limit is None else limit}
    if known is not None:
        # Clients may send any number. None stands for every revision, as NULL does in the comparison.
        parameters["known"] = None if known.known is None else [one for one in known.known if one <= _MAX_BIGINT]
    for number, part in enumerate(query.parts):
        parameters[f"part_{number}"] = part
    if query.after is not None:
        parameters |= {"after_id": query.after.task_id, "after_revision": query.after.revision}
    return parameters


@cache
def _page(
    dialect: str,
    order: Order,
    deleted: bool,  # noqa: FBT001  (the arguments are the cache's key, here and below)
    completed: bool | None,  # noqa: FBT001
    parts: int,
    has_start: bool,  # noqa: FBT001
    has_known: bool,  # noqa: FBT001
    is_bounded: bool,  # noqa: FBT001
) -> Select[Any]:
    def build(owner: ColumnElement[str]) -> Select[Any]:
        key: Column[Any] = tasks.c.revision if order.by_update else tasks.c.id
        is_wanted = tasks.c.deleted_at.is_not(None) if deleted else tasks.c.deleted_at.is_(None)
        found = (
            select(*TASK_COLUMNS)
            .where(is_owned(tasks.c.owner_id, owner), is_wanted)
            .order_by(key.desc() if order.descending else key)
        )
        if completed is not None:
            found = found.where(tasks.c.completed.is_(completed))
        for number in range(parts):
            found = found.where(_position(dialect)(tasks.c.search_text, bindparam(f"part_{number}", type_=Text)) > _0)
        if has_start:
            start = _AFTER[key.name]
            found = found.where(key < start if order.descending else key > start)
        revision = func.coalesce(list_value(owner, "revision").scalar_subquery(), _0)
        if not has_known:
            found = found.limit(_LIMIT)
        elif dialect == "postgresql":
            found = found.where(revision != all_(bindparam("known", type_=ARRAY(BigInteger)))).limit(_LIMIT)
        else:
            # SQLite evaluates a condition for each row, and so would read the whole list where it is false.
            each = func.json_each(bindparam("known", type_=JSON)).table_valued("value")
            is_new = select(revision).scalar_subquery().not_in(select(each.c.value))
            found = found.limit(case((is_new, _LIMIT), else_=_0))
        if is_bounded:
            found = bounded(dialect, order, found)
        head = select(revision.label("list_revision")).subquery("head")
        page = found.subquery("page")
        return select(head.c.list_revision, page).select_from(head.outerjoin(page, true()))

    return as_owner(dialect, build)


def _position(dialect: str) -> Callable[..., Any]:
    """Where a text occurs in another; 0 if it does not.

    Unlike LIKE it takes every character as it stands, and costs far less on text that nearly matches everywhere.
    """
    return func.strpos if dialect == "postgresql" else func.instr


def bounded(dialect: str, order: Order, found: Select[Any]) -> Select[Any]:
    """Those of the tasks before which there are at most MAX_PAGE_BYTES of others, counted by no more than their JSON.

    PostgreSQL takes the sum as the rows come, in the order of an index; SQLite sorts them, a page at most.
    """
    few = found.subquery("few")
    size = _octets(dialect, few.c.title) + func.coalesce(_octets(dialect, few.c.description), _0) + TASK_OVERHEAD
    key = few.c.revision if order.by_update else few.c.id
    ordered = key.desc() if order.descending else key
    before = (func.sum(size).over(order_by=ordered, rows=(None, 0)) - size).label("before")
    summed = select(few, before).subquery("summed")
    return select(*(summed.c[column.name] for column in TASK_COLUMNS)).where(summed.c.before <= MAX_PAGE_BYTES)


def _octets(dialect: str, text: ColumnElement[Any]) -> Any:
    """Bytes of a text in UTF-8."""
    return func.octet_length(text) if dialect == "postgresql" else func.length(cast(text, LargeBinary))
