"""Everybody's lists in SQL. Each statement names the owner; the list's row is the lock of its changes."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from attrs import define, evolve, field, frozen
from sqlalchemy import Result, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql import statements
from adapters.sql.database import Database
from adapters.sql.tables import tasks, to_row, to_task
from application.ports import EditableTaskList, TaskList
from domain.errors import TaskNotFound
from domain.identity import UserId
from domain.task import Task, TaskId
from domain.task_list import Position, Revision, TaskPage, TaskQuery


def _the_task_in(result: Result[Any]) -> Task:
    row = result.one_or_none()
    if row is None:
        raise TaskNotFound
    return to_task(row)


@frozen
class SqlTaskList:
    """One owner's tasks, to be read; each method is one statement."""

    _database: Database
    _owner: UserId

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        return _the_task_in(await self._ask(statements.living_task(self._database.dialect), task=task_id))

    async def page(self, query: TaskQuery) -> TaskPage:
        """See the port."""
        statement = statements.page_of(self._database.dialect, query)
        rows = (await self._ask(statement, **statements.page_parameters(query))).all()
        found = [to_task(row) for row in rows if row.id is not None]
        # The join promises no order, though databases keep it; sorting what is sorted costs next to nothing.
        found.sort(key=lambda task: Position.of(task, query.order).key(), reverse=query.order.descending)
        return TaskPage.cut(tuple(found), query, rows[0].list_revision)

    async def revision(self) -> Revision:
        """See the port."""
        result = await self._ask(statements.revision_of(self._database.dialect))
        return Revision(result.scalar_one_or_none() or 0)

    async def _ask(self, statement: Select[Any], **parameters: Any) -> Result[Any]:
        return await self._database.read(statement, {"owner": self._owner, **parameters})


@define
class SqlEditableTaskList:
    """One owner's tasks inside the transaction of one change."""

    _connection: AsyncConnection
    _owner: UserId
    _revision: Revision
    has_changed: bool = field(default=False, init=False)

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        return await self._get(statements.LIVING_TASK_IN_CHANGE, task_id)

    async def get_even_deleted(self, task_id: TaskId) -> Task:
        """See the port."""
        return await self._get(statements.TASK_IN_CHANGE, task_id)

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
        await self._connection.execute(statements.STORING, {"owner": self._owner, "task": task.id, **values})
        self.has_changed = True
        return stored

    async def erase_some(self) -> bool:
        """Remove as many tasks as one transaction should; whether there may be more."""
        parameters = {"owner": self._owner, "most": statements.ERASED_AT_ONCE}
        erased = (await self._connection.execute(statements.ERASING_SOME, parameters)).rowcount
        self.has_changed = erased > 0
        return erased == statements.ERASED_AT_ONCE

    async def _get(self, statement: Select[Any], task_id: TaskId) -> Task:
        return _the_task_in(await self._connection.execute(statement, {"owner": self._owner, "task": task_id}))


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
            raised = await connection.execute(statements.next_revision(self._database.dialect), {"owner": owner})
            edit = SqlEditableTaskList(connection, owner, Revision(raised.scalar_one()))
            yield edit
            if not edit.has_changed:
                await connection.rollback()
