"""Everybody's lists in SQL. Each statement names the owner; the list's row is the lock of its changes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from attrs import define, evolve, field, frozen
from sqlalchemy import Delete, Result, Select, delete, func, literal, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.database import Database
from adapters.sql.tables import TASK_COLUMNS, task_lists, tasks, to_row, to_task
from application.ports import EditableTaskList, TaskList
from domain.errors import TaskNotFound
from domain.identity import UserId
from domain.task import Task, TaskId
from domain.task_list import Position, Revision, TaskPage, TaskQuery
from domain.text import fold

ERASED_AT_ONCE: Final = 1000
"""Rows that go in one transaction: far fewer than DEADLINE has time for, so that nobody waits long for the list."""

_INSERT: dict[str, Callable[..., Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def _revision_of(owner: UserId) -> Select[tuple[int]]:
    return select(task_lists.c.revision).where(task_lists.c.owner_id == owner)


def _task_even_deleted(owner: UserId, task_id: TaskId) -> Select[Any]:
    return select(*TASK_COLUMNS).where(tasks.c.owner_id == owner, tasks.c.id == task_id)


def _living_task(owner: UserId, task_id: TaskId) -> Select[Any]:
    return _task_even_deleted(owner, task_id).where(tasks.c.deleted_at.is_(None))


def _some_tasks_gone(owner: UserId) -> Delete:
    some = select(tasks.c.id).where(tasks.c.owner_id == owner).limit(ERASED_AT_ONCE)
    return delete(tasks).where(tasks.c.owner_id == owner, tasks.c.id.in_(some))


def _the_task_in(result: Result[Any]) -> Task:
    row = result.one_or_none()
    if row is None:
        raise TaskNotFound
    return to_task(row)


def _page_of(owner: UserId, query: TaskQuery) -> Select[Any]:
    """One statement for the list's revision and a page, so that both are of the same instant.

    It answers one row at least: without tasks, the revision alone.
    """
    columns = [tasks.c.updated_at, tasks.c.id] if query.order.by_update else [tasks.c.id]
    wanted = (
        select(*TASK_COLUMNS)
        .where(tasks.c.owner_id == owner, tasks.c.deleted_at.is_(None))
        .order_by(*(column.desc() if query.order.descending else column for column in columns))
        .limit(query.limit + 1)
    )
    if query.completed is not None:
        wanted = wanted.where(tasks.c.completed.is_(query.completed))
    if query.text:
        wanted = wanted.where(tasks.c.search_text.contains(fold(query.text), autoescape=True))
    if query.after is not None:
        here = tuple_(*columns)
        there = tuple_(
            *(
                literal(value, column.type)
                for value, column in zip((query.after.at, query.after.task_id)[-len(columns) :], columns, strict=True)
            )
        )
        wanted = wanted.where(here < there if query.order.descending else here > there)
    head = select(func.coalesce(_revision_of(owner).scalar_subquery(), 0).label("list_revision")).subquery("head")
    page = wanted.subquery("page")
    return select(head.c.list_revision, page).select_from(head.outerjoin(page, true()))


@frozen
class SqlTaskList:
    """One owner's tasks, to be read; each method is one statement."""

    _database: Database
    _owner: UserId

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        return _the_task_in(await self._database.read(_living_task(self._owner, task_id)))

    async def page(self, query: TaskQuery) -> TaskPage:
        """See the port."""
        rows = (await self._database.read(_page_of(self._owner, query))).all()
        found = [to_task(row) for row in rows if row.id is not None]
        # The join promises no order, though databases keep it; sorting what is sorted costs next to nothing.
        found.sort(key=lambda task: Position.of(task, query.order).key(), reverse=query.order.descending)
        return TaskPage.cut(tuple(found), query, rows[0].list_revision)

    async def revision(self) -> Revision:
        """See the port."""
        return Revision((await self._database.read(_revision_of(self._owner))).scalar_one_or_none() or 0)


@define
class SqlEditableTaskList:
    """One owner's tasks inside the transaction of one change."""

    _connection: AsyncConnection
    _owner: UserId
    _revision: Revision
    has_changed: bool = field(default=False, init=False)

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        return _the_task_in(await self._connection.execute(_living_task(self._owner, task_id)))

    async def get_even_deleted(self, task_id: TaskId) -> Task:
        """See the port."""
        return _the_task_in(await self._connection.execute(_task_even_deleted(self._owner, task_id)))

    async def add(self, task: Task) -> Task:
        """See the port."""
        stored = evolve(task, revision=self._revision)
        await self._connection.execute(tasks.insert(), to_row(stored))
        self.has_changed = True
        return stored

    async def save(self, task: Task) -> Task:
        """See the port."""
        stored = evolve(task, revision=self._revision)
        values = to_row(stored)
        del values["owner_id"], values["id"], values["created_at"]
        await self._connection.execute(
            update(tasks).where(tasks.c.owner_id == self._owner, tasks.c.id == task.id).values(values)
        )
        self.has_changed = True
        return stored

    async def erase_some(self) -> bool:
        """Remove as many tasks as one transaction should; whether there may be more."""
        erased = (await self._connection.execute(_some_tasks_gone(self._owner))).rowcount
        self.has_changed = erased > 0
        return erased == ERASED_AT_ONCE


@frozen
class SqlTaskLists:
    """Everybody's lists, in PostgreSQL or SQLite."""

    _database: Database

    def open(self, owner: UserId) -> AbstractAsyncContextManager[TaskList]:
        """See the port."""
        return self._open(owner)

    def edit(self, owner: UserId) -> AbstractAsyncContextManager[EditableTaskList]:
        """See the port."""
        return self._edit(owner)

    async def erase(self, owner: UserId) -> None:
        """See the port."""
        while await self._erase_some(owner):
            pass

    async def _erase_some(self, owner: UserId) -> bool:
        async with self._edit(owner) as edit:
            return await edit.erase_some()

    @asynccontextmanager
    async def _open(self, owner: UserId) -> AsyncIterator[TaskList]:
        yield SqlTaskList(self._database, owner)

    @asynccontextmanager
    async def _edit(self, owner: UserId) -> AsyncIterator[SqlEditableTaskList]:
        async with self._database.writing() as connection:
            revision = await self._next_revision(connection, owner)
            edit = SqlEditableTaskList(connection, owner, revision)
            yield edit
            if not edit.has_changed:
                await connection.rollback()

    async def _next_revision(self, connection: AsyncConnection, owner: UserId) -> Revision:
        """Raise the list's revision; its row, made where it was missing, stays locked until the end."""
        first = _INSERT[self._database.dialect](task_lists).values(owner_id=owner, revision=1)
        raised = first.on_conflict_do_update(
            index_elements=[task_lists.c.owner_id], set_={"revision": task_lists.c.revision + 1}
        ).returning(task_lists.c.revision)
        return Revision((await connection.execute(raised)).scalar_one())
