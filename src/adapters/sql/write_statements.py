"""The SQL statements that change tasks.

`next_revision`, `next_revision_and_task`, `new_task` and `purge` begin a transaction: they set the user, take the
list's next revision and lock its row. The others follow them in the same transaction. (On SHARDED `set_user` begins
it.) The first three return no row, and change nothing, if the list refuses the token: its account was purged after the
token was issued. Those that make the list grow also return no row if it is full.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    String,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.statements import OWNER, SHARDED, TASK_ID, as_owner, list_value, set_user_cte, task_of
from adapters.sql.tables import idempotency_keys, task_lists, tasks
from domain.task import Task

_0, _1 = literal_column("0", Integer), literal_column("1", Integer)
_LIMIT: Final = bindparam("limit", type_=Integer)
_ISSUED_AT: Final = bindparam("issued_at", type_=task_lists.c.purged_at.type)
"""When the actor's token was issued, in whole seconds."""
_PURGED_AT: Final = bindparam("purged_at", type_=task_lists.c.purged_at.type)
_AT: Final = bindparam("at", type_=task_lists.c.changed_at.type)
"""When the change is made, by the service's clock."""
_MAX_TASKS: Final = bindparam("max_tasks", type_=BigInteger)
_INSERT: Final[dict[str, Callable[..., Any]]] = {
    "postgresql": postgresql.insert,
    SHARDED: postgresql.insert,
    "sqlite": sqlite.insert,
}
NEW_TASK: Final = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in tasks.c}


def _later(dialect: str) -> Callable[..., Any]:
    return func.max if dialect == "sqlite" else func.greatest


def _upsert_list(
    dialect: str,
    set_: dict[str, Any],
    where: ColumnElement[bool] | None = None,
    me: CTE | None = None,
    unless: ColumnElement[bool] | None = None,
    **first: Any,
) -> Any:
    """Insert the list's row at revision 1, with these values; if there is one, raise its revision and set others.

    PostgreSQL: `me` is the CTE that sets the user, where the statement has one already; nothing happens if `unless`.
    """
    values = {"revision": _1, "changed_at": _AT, **first}
    set_ = {"changed_at": _later(dialect)(task_lists.c.changed_at, _AT), **set_}
    insert_or_update = _INSERT[dialect](task_lists)
    if dialect == "postgresql":
        me = set_user_cte() if me is None else me
        row = select(me.c.id, *values.values())
        made = insert_or_update.from_select(["owner_id", *values], row if unless is None else row.where(~unless))
    else:
        made = insert_or_update.values(owner_id=OWNER, **values)
    return made.on_conflict_do_update(
        index_elements=[task_lists.c.owner_id], set_={"revision": task_lists.c.revision + _1, **set_}, where=where
    )


def _bump_revision(dialect: str, *, grows: bool = False, **more: Any) -> Any:
    is_accepted = or_(task_lists.c.purged_at.is_(None), task_lists.c.purged_at < _ISSUED_AT)
    if not grows:
        return _upsert_list(dialect, {}, is_accepted)
    has_room = task_lists.c.size < _MAX_TASKS
    return _upsert_list(dialect, {"size": task_lists.c.size + _1}, and_(is_accepted, has_room), size=_1, **more)


@cache
def next_revision(dialect: str, *, grows: bool = False) -> Executable:
    """Increment the list's revision; return it with the instant of the change.

    The list's row, created if it is missing, stays locked until the transaction ends.
    """
    bumped = _bump_revision(dialect, grows=grows)
    statement: Executable = bumped.returning(task_lists.c.revision, task_lists.c.changed_at)
    return statement


@cache
def purged_at(dialect: str) -> Executable:
    """When the list's account was purged."""
    return as_owner(dialect, lambda owner: list_value(owner, "purged_at"))


@cache
def purge(dialect: str) -> Executable:
    """Increment the list's revision and make it the horizon; refuse the tokens issued up to `purged_at` from now on.

    The list counts as empty: everything is removed under its lock, at the latest when this is repeated.
    """
    latest = _later(dialect)(func.coalesce(task_lists.c.purged_at, _PURGED_AT), _PURGED_AT)
    set_ = {"size": _0, "horizon": task_lists.c.revision + _1, "purged_at": latest}
    statement: Executable = _upsert_list(dialect, set_, horizon=_1, purged_at=_PURGED_AT)
    return statement


@cache
def next_revision_and_task() -> Executable:
    """Increment the list's revision and read a task or its tombstone, in one round trip; only for PostgreSQL.

    The statement's snapshot is older than its wait for the list's row, but FOR UPDATE reads the task's newest version,
    so no change is lost. It returns one row; if there is no task, the revision and the change's instant alone.
    """
    raised = bumped("postgresql")
    task = task_of(literal_column("raised.owner_id", String)).with_for_update().lateral("task")
    return select(raised.c.revision, raised.c.changed_at, task).select_from(raised.outerjoin(task, true()))


def bumped(dialect: str, *, grows: bool = False, **more: Any) -> CTE:
    """Increment the list's revision, inside a statement; see _upsert_list."""
    columns = (task_lists.c.owner_id, task_lists.c.revision, task_lists.c.changed_at)
    raised: CTE = _bump_revision(dialect, grows=grows, **more).returning(*columns).cte("raised")
    return raised


@cache
def new_task() -> Executable:
    """Increment the list's revision and store a new task with it: the whole change in one statement of PostgreSQL.

    Either both are stored or neither. With other databases it takes a transaction and four round trips.
    """
    raised = bumped("postgresql", grows=True)
    taken = {"owner_id": raised.c.owner_id, "revision": raised.c.revision, "updated_at": raised.c.changed_at}
    values = {**NEW_TASK, **taken}
    stored = insert(tasks).from_select(list(values), select(*values.values()))
    return stored.returning(tasks.c.revision, tasks.c.updated_at)


TASK: Final = task_of(OWNER)
"""Read a task or its tombstone."""

INSERT_TASK: Final = insert(tasks).values(NEW_TASK)
"""Store a new task."""

UPDATE_TASK: Final = (
    update(tasks)
    .where(tasks.c.owner_id == OWNER, tasks.c.id == TASK_ID)
    .values({name: value for name, value in NEW_TASK.items() if name not in {"owner_id", "id", "created_at"}})
)
"""Store a task's new values."""

ERASE_KEYS: Final = (
    delete(idempotency_keys)
    .where(
        idempotency_keys.c.owner_id == OWNER,
        idempotency_keys.c.key.in_(
            select(idempotency_keys.c.key).where(idempotency_keys.c.owner_id == OWNER).limit(_LIMIT)
        ),
    )
    .returning(_1)
)
"""Forget a number of idempotency keys; returns a row for each."""

ERASE_TASKS: Final = (
    delete(tasks)
    .where(
        tasks.c.owner_id == OWNER,
        tasks.c.id.in_(select(tasks.c.id).where(tasks.c.owner_id == OWNER).limit(_LIMIT)),
    )
    .returning(_1)
)
"""Remove a number of tasks and tombstones; returns a row for each."""


def task_params(task: Task) -> dict[str, Any]:
    """A task's values, as parameters of the statements that store it."""
    return {
        "new_owner_id": task.owner,
        "new_id": task.id,
        "new_title": task.title,
        "new_description": task.description,
        "new_completed": task.completed,
        "new_created_at": task.created_at,
        "new_updated_at": task.updated_at,
        "new_deleted_at": task.deleted_at,
        "new_revision": task.revision,
        "new_search_text": task.search_text,
    }
