"""Row-level security on PostgreSQL: the one place that tells the database whose rows a statement is about.

The policies compare each row's owner with `app.user_id`, which `set_user` (migration 0003) sets until the
transaction's end. A statement that stands alone calls it itself, so that the second wall costs no round trip. SQLite
has no such wall.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, String, bindparam, func, literal_column, select, true

OWNER: Final = bindparam("owner", type_=String)
"""Whose rows: a parameter of every statement."""


def acting_user() -> CTE:
    """Whom the statement is run for, `id`: set before any row is looked at by whatever takes the id from here.

    Materialized: run once, and not merged into what follows.
    """
    return select(func.set_user(OWNER, type_=String).label("id")).cte("me").prefix_with("MATERIALIZED")


def reading(dialect: str, wanted: Callable[[ColumnElement[str]], Select[Any]]) -> Select[Any]:
    """The statement for what is `wanted` of an owner, where that is the whole transaction.

    On PostgreSQL the owner comes out of `set_user`. OFFSET 0 keeps the planner from pulling the inner statement up to
    where its rows could be read, under the policy, before the user is known.
    """
    if dialect != "postgresql":
        return wanted(OWNER)
    me = acting_user()
    rows = wanted(literal_column("me.id", String)).offset(literal_column("0")).lateral("wanted")
    return select(rows).select_from(me.join(rows, true()))
