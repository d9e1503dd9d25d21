"""The TaskLists port in SQL. Each statement names the owner; the lock on the list's row orders its changes."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final

from attrs import define, evolve, field, frozen

from adapters.sql import page_statements, statements
from adapters.sql.database import Database
from adapters.sql.executors import Executor, Rows, Transaction, delete_in_batches
from adapters.sql.searches import Searches
from adapters.sql.tables import row_to_task
from application.ports import EditableTaskList, TaskList
from domain.errors import InvalidToken, TaskNotFound
from domain.identity import Principal, UserId
from domain.revocation import REVOKED
from domain.task import Revision, Revisions, Task, TaskId
from domain.task_list import NotModified, PageKey, TaskPage, TaskQuery

FIRST_ROWS: Final = 128
"""Tasks that are read at once for a page. The rest of a longer page is read with a statement that counts bytes: it
costs more for each row, but returns little more than a page may hold. Together they return some 2 MiB at most.
"""
ERASE_BATCH: Final = 1000
"""Rows deleted in one transaction: far fewer than fit into DEADLINE, so that other changes of the list wait briefly."""


@frozen
class SqlTaskList:
    """One owner's tasks for reading; each method is one statement, but for pages of more than FIRST_ROWS."""

    _executor: Executor
    _searches: Searches
    _dialect: str
    _owner: UserId

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        parameters = {"owner": self._owner, "task": task_id}
        rows = await self._executor.read(statements.live_task(self._dialect), parameters)
        if not rows:
            raise TaskNotFound
        return row_to_task(self._owner, rows[0])

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        """See the port."""
        is_long = query.limit >= FIRST_ROWS
        if query.parts:
            revision, found = await self._read_page(query, known, query.limit + 1, is_bounded=is_long)
        else:
            revision, found = await self._read_page(query, known, min(query.limit + 1, FIRST_ROWS))
        if known is not None and revision in known:
            return NotModified(revision)
        if is_long and not query.parts and len(found) == FIRST_ROWS:
            rest = evolve(query, after=PageKey.of(found[-1], query.order))
            now, more = await self._read_page(rest, None, query.limit + 1 - FIRST_ROWS, is_bounded=True)
            if now != revision:  # the list has changed since: the page ends here
                return TaskPage.from_rows(found, evolve(query, limit=FIRST_ROWS - 1), revision)
            found += more
        return TaskPage.from_rows(found, query, revision)

    async def _read_page(
        self, query: TaskQuery, known: Revisions | None, limit: int, *, is_bounded: bool = False
    ) -> tuple[Revision, tuple[Task, ...]]:
        """The list's revision, and at most `limit` tasks."""
        statement = page_statements.page_of(self._dialect, query, known, is_bounded=is_bounded)
        parameters = {"owner": self._owner, **page_statements.page_parameters(query, known, limit)}
        if query.parts:
            rows = await self._searches.read(self._owner, statement, parameters)
        else:
            rows = await self._executor.read(statement, parameters)
        # A join without a condition can only be a loop over the page, which keeps the page's order.
        return Revision(rows[0][0]), tuple([row_to_task(self._owner, row[1:]) for row in rows if row[1] is not None])


@define
class SqlEditableTaskList:
    """One owner's tasks inside the transaction of one change, which takes the list's lock when it is first used."""

    _transaction: Transaction
    _dialect: str
    _owner: UserId
    _issued_at: datetime
    """When the actor's token was issued."""
    _revision: Revision | None = field(default=None, init=False)
    has_changed: bool = field(default=False, init=False)

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        task = await self.get_including_deleted(task_id)
        if task.deleted_at is not None:
            raise TaskNotFound
        return task

    async def get_including_deleted(self, task_id: TaskId) -> Task:
        """See the port."""
        if self._revision is None and self._dialect == "postgresql":
            revision, *row = _only(await self._run(statements.next_revision_and_task(), task=task_id))
            self._revision = Revision(revision)
            rows: Rows = [row] if row[0] is not None else []
        else:
            await self.next_revision()
            rows = await self._run(statements.TASK, task=task_id)
        if not rows:
            raise TaskNotFound
        return row_to_task(self._owner, rows[0])

    async def save(self, task: Task) -> Task:
        """See the port."""
        return await self._store(statements.UPDATE_TASK, task)

    async def add(self, task: Task) -> Task:
        """Store a new task and return it with this change's revision."""
        return await self._store(statements.INSERT_TASK, task)

    async def next_revision(self) -> Revision:
        """The revision of this change. The first call takes it, and the list's lock."""
        if self._revision is None:
            (revision,) = _only(await self._run(statements.next_revision(self._dialect)))
            self._revision = Revision(revision)
        return self._revision

    async def _store(self, statement: Any, task: Task) -> Task:
        stored = task.stored(await self.next_revision())
        await self._run(statement, task=task.id, **statements.task_params(stored))
        self.has_changed = True
        return stored

    async def _run(self, statement: Any, **parameters: Any) -> Rows:
        return await self._transaction.run(
            statement, {"owner": self._owner, "issued_at": self._issued_at, **parameters}
        )


def _only(rows: Rows) -> Any:
    """The only row of a statement that takes the list's next revision.

    Raises:
        InvalidToken: there is none, because the list refuses the token.
    """
    if not rows:
        raise InvalidToken(REVOKED)
    return rows[0]


@define
class SqlTaskLists:
    """The port's TaskLists, in PostgreSQL or SQLite."""

    _database: Database
    _erase_batch: int = ERASE_BATCH
    _executor: Executor = field(init=False)
    _searches: Searches = field(init=False)
    _dialect: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._executor, self._dialect = self._database.executor, self._database.dialect
        self._searches = Searches(self._executor)

    def open(self, owner: UserId) -> TaskList:
        """See the port."""
        return SqlTaskList(self._executor, self._searches, self._dialect, owner)

    def edit(self, owner: UserId, actor: Principal) -> AbstractAsyncContextManager[EditableTaskList]:
        """See the port."""
        return self._edit(owner, actor)

    async def add(self, owner: UserId, actor: Principal, task: Task) -> Task:
        """See the port."""
        if self._dialect != "postgresql":
            async with self._edit(owner, actor) as edit:
                return await edit.add(task)
        parameters = {"owner": owner, "issued_at": actor.issued_second, **statements.task_params(task)}
        (revision,) = _only(await self._executor.write(statements.new_task(), parameters))
        return task.stored(Revision(revision))

    async def erase(self, owner: UserId, at: datetime) -> None:
        """See the port."""
        parameters = {"owner": owner, "purged_at": at, "limit": self._erase_batch}

        async def erase_batch() -> int:
            async with self._executor.transaction() as transaction:
                await transaction.run(statements.purge(self._dialect), parameters)
                return len(await transaction.run(statements.ERASE_TASKS, parameters))

        await delete_in_batches(erase_batch, self._erase_batch)

    @asynccontextmanager
    async def _edit(self, owner: UserId, actor: Principal) -> AsyncIterator[SqlEditableTaskList]:
        async with self._executor.transaction() as transaction:
            edit = SqlEditableTaskList(transaction, self._dialect, owner, actor.issued_second)
            yield edit
            if not edit.has_changed:
                transaction.abandon()
