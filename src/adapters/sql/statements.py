"""The statements on tasks. Each names the owner; dialects differ in how they learn who that is."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    JSON,
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    Select,
    String,
    Text,
    all_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.executors import FULL_SCAN
from adapters.sql.tables import TASK_COLUMNS, task_lists, tasks
from domain.task import Revisions, Task
from domain.task_list import Order, TaskQuery
from domain.text import fold

OWNER: Final = bindparam("owner", type_=String)
"""Whose rows: a parameter of every statement."""


def set_user_cte() -> CTE:
    """Whom the statement is run for, `id`: set before any row is looked at by whatever takes the id from here.

    Materialized: run once, and not merged into what follows.
    """
    return select(func.set_user(OWNER, type_=String).label("id")).cte("me").prefix_with("MATERIALIZED")


def as_owner(dialect: str, wanted: Callable[[ColumnElement[str]], Select[Any]]) -> Select[Any]:
    """The statement for what is `wanted` of an owner, where that is the whole transaction.

    On PostgreSQL the owner comes out of `set_user`. OFFSET 0 keeps the planner from pulling the inner statement up to
    where its rows could be read, under the policy, before the user is known.
    """
    if dialect != "postgresql":
        return wanted(OWNER)
    me = set_user_cte()
    rows = wanted(literal_column("me.id", String)).offset(literal_column("0")).lateral("wanted")
    return select(rows).select_from(me.join(rows, true()))


ERASE_BATCH: Final = 1000
"""Rows that go in one transaction: far fewer than DEADLINE has time for, so that nobody waits long for the list."""

_0, _1 = literal_column("0", Integer), literal_column("1", Integer)
_TASK: Final = bindparam("task", type_=tasks.c.id.type)
_MAX_BIGINT: Final = 2**63 - 1
_MOST: Final = bindparam("most", type_=Integer)
_NEW: Final = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in tasks.c}
_AFTER: Final = {
    "id": bindparam("after_id", type_=tasks.c.id.type),
    "updated_at": bindparam("after_at", type_=tasks.c.updated_at.type),
}
_INSERT: Final[dict[str, Callable[..., Any]]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


@cache
def live_task(dialect: str) -> Select[Any]:
    """A task that is not deleted."""
    return as_owner(dialect, _living)


def page_of(dialect: str, query: TaskQuery, known: Revisions | None) -> Select[Any]:
    """The list's revision and a page, in one statement, so that both are of the same instant.

    It answers one row at least: without tasks, or where the revision is known, the revision alone.
    """
    return _page(dialect, query.order, query.completed, bool(query.text), query.after is not None, known is not None)


def page_parameters(query: TaskQuery, known: Revisions | None) -> dict[str, Any]:
    """What `page_of` takes beside the owner: one task more than the page holds shows whether another follows."""
    parameters: dict[str, Any] = {"most": query.limit + 1}
    if known is not None:
        # Clients name what they like; None stands for every revision, as NULL does where it is compared.
        parameters["known"] = None if known.known is None else [one for one in known.known if one <= _MAX_BIGINT]
    if query.text:
        escaped = fold(query.text).replace("/", "//").replace("%", "/%").replace("_", "/_")
        parameters["pattern"] = f"%{escaped}%"
    if query.after is not None:
        parameters["after_id"] = query.after.task_id
        if query.order.by_update:
            parameters["after_at"] = query.after.at
    return parameters


@cache
def next_revision(dialect: str) -> Executable:
    """Raise the list's revision; its row, made where it was missing, stays locked until the transaction's end.

    The first statement of a change: on PostgreSQL it says whose rows all that follow are about.
    """
    statement: Executable = _bump_revision(dialect).returning(task_lists.c.revision)
    return statement


@cache
def next_revision_and_task() -> Executable:
    """Raise the list's revision and read a task or its tombstone, in one round trip; PostgreSQL alone can.

    The statement sees the tables as they were before it waited for the list's row, but FOR UPDATE goes on from there
    to the task's newest version, so that no change is lost. One row; without a task, the revision alone.
    """
    raised = _bump_revision("postgresql").returning(task_lists.c.owner_id, task_lists.c.revision).cte("raised")
    task = _task(literal_column("raised.owner_id", String)).with_for_update().lateral("task")
    return select(raised.c.revision, task).select_from(raised.outerjoin(task, true()))


@cache
def new_task() -> Executable:
    """Raise the list's revision and store a new task that bears it: all of a change in one statement of PostgreSQL's.

    The two are there together or not at all. Elsewhere it would take a transaction and four round trips.
    """
    raised = _bump_revision("postgresql").returning(task_lists.c.owner_id, task_lists.c.revision).cte("raised")
    values = {**_NEW, "owner_id": raised.c.owner_id, "revision": raised.c.revision}
    return insert(tasks).from_select(list(values), select(*values.values())).returning(tasks.c.revision)


def task_params(task: Task) -> dict[str, Any]:
    """What statements that store a task take as its members."""
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


def _bump_revision(dialect: str) -> Any:
    insert_or_update = _INSERT[dialect](task_lists)
    if dialect == "postgresql":
        me = set_user_cte()
        first = insert_or_update.from_select(["owner_id", "revision"], select(me.c.id, _1))
    else:
        first = insert_or_update.values(owner_id=OWNER, revision=_1)
    return first.on_conflict_do_update(
        index_elements=[task_lists.c.owner_id], set_={"revision": task_lists.c.revision + _1}
    )


@cache
def _page(
    dialect: str,
    order: Order,
    completed: bool | None,  # noqa: FBT001  (what makes one statement of this kind another, here and below)
    searches: bool,  # noqa: FBT001
    continues: bool,  # noqa: FBT001
    knows: bool,  # noqa: FBT001
) -> Select[Any]:
    def wanted(owner: ColumnElement[str]) -> Select[Any]:
        columns = [tasks.c.updated_at, tasks.c.id] if order.by_update else [tasks.c.id]
        found = (
            select(*TASK_COLUMNS)
            .where(tasks.c.owner_id == owner, tasks.c.deleted_at.is_(None))
            .order_by(*(column.desc() if order.descending else column for column in columns))
        )
        if completed is not None:
            found = found.where(tasks.c.completed.is_(completed))
        if searches:
            found = found.where(tasks.c.search_text.like(bindparam("pattern", type_=Text), escape="/"))
        if continues:
            here = tuple_(*columns)
            there = tuple_(*(_AFTER[column.name] for column in columns))
            found = found.where(here < there if order.descending else here > there)
        revision = func.coalesce(_revision(owner).scalar_subquery(), _0)
        if not knows:
            found = found.limit(_MOST)
        elif dialect == "postgresql":
            found = found.where(revision != all_(bindparam("known", type_=ARRAY(BigInteger)))).limit(_MOST)
        else:
            # SQLite would judge a condition for each row, and so read the whole list where it is false.
            each = func.json_each(bindparam("known", type_=JSON)).table_valued("value")
            is_news = select(revision).scalar_subquery().not_in(select(each.c.value))
            found = found.limit(case((is_news, _MOST), else_=_0))
        head = select(revision.label("list_revision")).subquery("head")
        page = found.subquery("page")
        return select(head.c.list_revision, page).select_from(head.outerjoin(page, true()))

    return as_owner(dialect, wanted).execution_options(**{FULL_SCAN: searches})


def _revision(owner: ColumnElement[str]) -> Select[tuple[int]]:
    return select(task_lists.c.revision).where(task_lists.c.owner_id == owner)


def _task(owner: ColumnElement[str]) -> Select[Any]:
    return select(*TASK_COLUMNS).where(tasks.c.owner_id == owner, tasks.c.id == _TASK)


def _living(owner: ColumnElement[str]) -> Select[Any]:
    return _task(owner).where(tasks.c.deleted_at.is_(None))


TASK: Final = _task(OWNER)
"""A task or its tombstone, inside a change."""

INSERT_TASK: Final = insert(tasks).values(_NEW)
"""A new task, inside a change."""

UPDATE_TASK: Final = (
    update(tasks)
    .where(tasks.c.owner_id == OWNER, tasks.c.id == _TASK)
    .values({name: value for name, value in _NEW.items() if name not in {"owner_id", "id", "created_at"}})
)
"""A task's new values, inside a change."""

ERASE_SOME: Final = (
    delete(tasks)
    .where(
        tasks.c.owner_id == OWNER,
        tasks.c.id.in_(select(tasks.c.id).where(tasks.c.owner_id == OWNER).limit(_MOST)),
    )
    .returning(_1)
)
"""So many tasks and tombstones removed, a row for each, inside a change."""
