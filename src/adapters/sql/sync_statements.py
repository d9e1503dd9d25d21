"""The SQL statement that reads what has changed in a list."""

from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, literal_column, null, select, true, union_all

from adapters.sql.page_statements import bounded
from adapters.sql.statements import as_owner, is_owned, list_value
from adapters.sql.tables import TASK_COLUMNS, tasks
from domain.changes import ChangesQuery
from domain.task_list import Order

_0: Final = literal_column("0", Integer)
_LIMIT: Final = bindparam("limit", type_=Integer)
_AFTER: Final = bindparam("after_revision", type_=tasks.c.revision.type)
_DELETED_AFTER: Final = bindparam("deleted_after", type_=tasks.c.revision.type)
_LIST: Final = ("revision", "horizon")
"""What the list's own row says of its changes."""
_NO_TEXT: Final[dict[str, ColumnElement[Any]]] = {
    "title": literal_column("''", tasks.c.title.type),
    "description": null(),
}
"""Instead of a tombstone's columns that nobody reads."""
_ANY_REVISION: Final = 2**63 - 1


@cache
def changes_since(dialect: str) -> Select[Any]:
    """The list's revision and horizon, and in the order of revisions what changed after others: tasks, and tombstones.

    It returns at least one row. Of a tombstone it returns no text.
    """

    def build(owner: ColumnElement[str]) -> Select[Any]:
        live = _after(select(*TASK_COLUMNS), owner, tasks.c.deleted_at.is_(None), _AFTER)
        columns = [_NO_TEXT.get(column.name, column).label(column.name) for column in TASK_COLUMNS]
        gone = _after(select(*columns), owner, tasks.c.deleted_at.is_not(None), _DELETED_AFTER)
        both = union_all(select(live.subquery("live")), select(gone.subquery("gone"))).subquery("both")
        page = bounded(dialect, Order.UPDATED, select(both).order_by(both.c.revision).limit(_LIMIT)).subquery("page")
        known = (func.coalesce(list_value(owner, name).scalar_subquery(), _0).label(f"list_{name}") for name in _LIST)
        head = select(*known).subquery("head")
        return select(head, page).select_from(head.outerjoin(page, true()))

    return as_owner(dialect, build)


def _after(found: Select[Any], owner: ColumnElement[str], condition: Any, revision: ColumnElement[int]) -> Select[Any]:
    is_wanted = (is_owned(tasks.c.owner_id, owner), condition, tasks.c.revision > revision)
    return found.where(*is_wanted).order_by(tasks.c.revision).limit(_LIMIT)


def changes_parameters(query: ChangesQuery) -> dict[str, Any]:
    """The parameters of `changes_since` besides the owner."""
    since = query.since
    return {
        "limit": query.limit + 1,
        "after_revision": 0 if since is None else since.revision,
        "deleted_after": _ANY_REVISION if since is None else since.deletions_after,
    }
