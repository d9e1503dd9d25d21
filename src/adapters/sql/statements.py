"""The SQL statements on tasks: how the owner is set, and reads of one task; those of pages and changes are beside it.

Each statement names the owner in its conditions. On PostgreSQL each one also sets the user for row-level security, or
runs in a transaction whose first statement has set it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, Column, ColumnElement, Select, String, and_, bindparam, func, literal_column, select, true

from adapters.sql.tables import TASK_COLUMNS, task_lists, tasks

PLANNER: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""PostgreSQL: how the service's statements are planned: once for each connection, not anew for each execution.

Such a plan may be made while a table is still empty, when reading and sorting all of it costs least, and stay in use
while the table grows. The other settings prevent that: statements on tasks read ranges of indexes, in their order.
"""

OWNER: Final = bindparam("owner", type_=String)
"""The owner of the rows: a parameter of every statement."""

TASK_ID: Final = bindparam("task", type_=tasks.c.id.type)

SHARDED: Final = "sharded"
"""PostgreSQL with the owners' rows on several servers: how changes are written there. Reads are those of PostgreSQL."""


# Row-level security (PostgreSQL): its policies compare owner_id with a setting that the function set_user sets for the
# rest of the transaction, and which is empty before.


def set_user_cte() -> CTE:
    """A CTE `me` that sets the user of this transaction and returns it as `id`.

    What takes the owner from `me.id` reads no row before the user is set. MATERIALIZED: the function runs once, and the
    planner does not merge it into the rest.
    """
    return select(func.set_user(OWNER, type_=String).label("id")).cte("me").prefix_with("MATERIALIZED")


def as_owner(dialect: str, build: Callable[[ColumnElement[str]], Select[Any]]) -> Select[Any]:
    """A read that is a whole transaction: it sets the user and returns the owner's rows that `build` selects.

    `build` gets the owner as an expression: the parameter itself, and on PostgreSQL what set_user returns. OFFSET 0
    keeps the planner from pulling up the inner statement, whose rows could then be read, under the policy, before the
    user is set.
    """
    if dialect != "postgresql":
        return build(OWNER)
    me = set_user_cte()
    rows = build(literal_column("me.id", String)).offset(literal_column("0")).lateral("wanted")
    return select(rows).select_from(me.join(rows, true()))


@cache
def set_user() -> Select[Any]:
    """The same as a statement: the first one of a transaction."""
    return select(func.set_user(OWNER, type_=String))


def is_owned(owner_id: Column[str], owner: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a row is the owner's, who is named twice where the expression is not the parameter itself.

    The expression is known only when the statement runs, the parameter before: by it a sharded PostgreSQL finds the
    server, and a partitioned table the partition, that alone has this owner's rows.
    """
    return owner_id == OWNER if owner is OWNER else and_(owner_id == owner, owner_id == OWNER)


# Reads.


@cache
def live_task(dialect: str) -> Select[Any]:
    """A task that is not deleted."""
    return as_owner(dialect, lambda owner: task_of(owner).where(tasks.c.deleted_at.is_(None)))


@cache
def revision_and_live_task(dialect: str) -> Select[Any]:
    """The list's revision, and a task that is not deleted: one row; without a task, the revision alone."""

    def build(owner: ColumnElement[str]) -> Select[Any]:
        revision = func.coalesce(list_value(owner, "revision").scalar_subquery(), literal_column("0"))
        head = select(revision.label("list_revision")).subquery("head")
        task = task_of(owner).where(tasks.c.deleted_at.is_(None)).subquery("task")
        return select(head.c.list_revision, task).select_from(head.outerjoin(task, true()))

    return as_owner(dialect, build)


def list_value(owner: ColumnElement[str], name: str) -> Select[tuple[Any]]:
    """A column of the list's row; no row if nothing was ever stored in it."""
    return select(task_lists.c[name]).where(is_owned(task_lists.c.owner_id, owner))


def task_of(owner: ColumnElement[str]) -> Select[Any]:
    """A task or its tombstone."""
    return select(*TASK_COLUMNS).where(is_owned(tasks.c.owner_id, owner), tasks.c.id == TASK_ID)
