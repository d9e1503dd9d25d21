"""The TaskLists port in SQL. Each statement names the owner; the lock on the list's row orders its changes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final

from attrs import define, evolve, field, frozen

from adapters.sql import page_statements, statements, sync_statements, write_statements
from adapters.sql.compiled_statements import Rows
from adapters.sql.database import Database
from adapters.sql.executors import Executor, delete_in_batches
from adapters.sql.idempotency import add_once
from adapters.sql.searches import Searches
from adapters.sql.tables import row_to_task
from adapters.sql.task_list_edit import SqlEditableTaskList
from application.ports import EditableTaskList
from domain.changes import Change, Changes, ChangesQuery, Deletion
from domain.errors import DomainError, InvalidToken, ListFull, TaskNotFound
from domain.idempotency import FirstCreation, IdempotencyKey
from domain.identity import Principal, UserId
from domain.revocation import REVOKED
from domain.task import NO_REVISION, Revision, Revisions, Task, TaskId
from domain.task_list import MAX_TASKS, NotModified, PageKey, TaskPage, TaskQuery

FIRST_ROWS: Final = 128
"""Tasks that are read at once for a page. The rest of a longer page is read with a statement that counts bytes: it
costs more for each row, but returns little more than a page may hold. Together they return some 2 MiB at most.
"""
ERASE_BATCH: Final = 1000
"""Rows deleted in one transaction: far fewer than fit into DEADLINE, so that other changes of the list wait briefly."""

BRIEF_ROWS: Final = 64
"""Rows of a page that is read like a single task; see Executor.read."""

NO_LIMIT: Final = 2**63 - 1
"""More tasks than any list can have."""


@frozen
class SqlTaskList:
    """One owner's tasks for reading; each method is one statement, but for pages of more than FIRST_ROWS."""

    _executor: Executor
    _searches: Searches
    _dialect: str
    _owner: UserId

    async def get(self, task_id: TaskId, *, seen: Revision = NO_REVISION) -> Task:  # noqa: ARG002  (a snapshot has all)
        """See the port."""
        parameters = {"owner": self._owner, "task": task_id}
        rows = await self._executor.read(statements.live_task(self._dialect), parameters)
        if not rows:
            raise TaskNotFound
        return row_to_task(self._owner, rows[0])

    async def get_with_revision(self, task_id: TaskId) -> tuple[Revision, Task | None]:
        """The list's revision, and the task if there is one; of a database that may not have the last changes."""
        parameters = {"owner": self._owner, "task": task_id}
        [(revision, *row)] = await self._executor.read(statements.revision_and_live_task(self._dialect), parameters)
        return Revision(revision), None if row[0] is None else row_to_task(self._owner, row)

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
        elif query.is_indexed and (known is not None or limit <= BRIEF_ROWS):  # known: probably the revision alone
            rows = await self._executor.read(statement, parameters)
        else:
            rows = await self._executor.read_many(statement, parameters)
        # A join without a condition can only be a loop over the page, which keeps the page's order.
        return Revision(rows[0][0]), tuple([row_to_task(self._owner, row[1:]) for row in rows if row[1] is not None])

    async def changes(self, query: ChangesQuery) -> Changes:
        """See the port."""
        parameters = {"owner": self._owner, **sync_statements.changes_parameters(query)}
        # Since a known revision, little has changed, and most often nothing.
        read = self._executor.read_many if query.since is None else self._executor.read
        rows = await read(sync_statements.changes_since(self._dialect), parameters)
        revision, horizon, *_ = rows[0]
        found = [self._change(row[2:]) for row in rows if row[2] is not None]
        found.sort(key=lambda one: one.revision)
        return Changes.from_found(found, query, revision=Revision(revision), horizon=Revision(horizon))

    def _change(self, row: Sequence[Any]) -> Change:
        task_id, *_, deleted_at, revision = row
        return row_to_task(self._owner, row) if deleted_at is None else Deletion(TaskId(task_id), Revision(revision))


@define
class SqlTaskLists:
    """The port's TaskLists, in PostgreSQL or SQLite."""

    _database: Database
    _max_tasks: int | None = MAX_TASKS
    """Tasks and tombstones of a list; `None`: no limit."""
    _on_change: Callable[[UserId], None] = lambda _: None
    """Called after each attempt to change a list, also where its outcome is unknown."""
    _erase_batch: int = field(default=ERASE_BATCH, kw_only=True)
    _executor: Executor = field(init=False)
    _searches: Searches = field(init=False)
    _dialect: str = field(init=False)
    _writes: str = field(init=False)
    """How changes are written: `postgresql`, `sqlite`, or SHARDED."""

    def __attrs_post_init__(self) -> None:
        self._executor, self._dialect = self._database.executor, self._database.dialect
        self._writes = statements.SHARDED if self._database.is_sharded else self._dialect
        self._searches = Searches(self._executor)

    def open(self, owner: UserId) -> SqlTaskList:
        """See the port."""
        return SqlTaskList(self._executor, self._searches, self._dialect, owner)

    def edit(self, owner: UserId, actor: Principal, *, at: datetime) -> AbstractAsyncContextManager[EditableTaskList]:
        """See the port."""
        return self._edit(owner, actor, at)

    @asynccontextmanager
    async def _edit(self, owner: UserId, actor: Principal, at: datetime) -> AsyncIterator[EditableTaskList]:
        edit: SqlEditableTaskList | None = None
        try:
            async with self._executor.transaction() as transaction:
                edit = SqlEditableTaskList(transaction, self._writes, owner, actor.issued_second, at)
                yield edit
                if not edit.has_changed:
                    transaction.abandon()
        finally:
            if edit is not None and edit.has_changed:
                self._on_change(owner)

    async def add(self, owner: UserId, actor: Principal, task: Task) -> Task:
        """See the port."""
        parameters = self._parameters(owner, actor, task)
        try:
            if self._writes == "postgresql":
                rows = await self._executor.write(write_statements.new_task(), parameters)
            else:
                rows = await self._add_in_steps(task, parameters)
        finally:
            self._on_change(owner)
        if not rows:
            raise await self._refusal(owner, actor)
        revision, at = rows[0]
        return task.stored(Revision(revision), at)

    async def add_once(
        self, owner: UserId, actor: Principal, task: Task, key: IdempotencyKey, *, expired_at: datetime
    ) -> tuple[Task, bool]:
        """See the port."""
        more = {"key": key.text, "request": key.request, "expired_at": expired_at}
        try:
            rows = await add_once(self._executor, self._writes, {**self._parameters(owner, actor, task), **more})
        finally:
            self._on_change(owner)
        if not rows:
            raise await self._refusal(owner, actor)
        is_replayed, *first = rows[0]
        return FirstCreation(*first).replayed(key, task), is_replayed

    def _parameters(self, owner: UserId, actor: Principal, task: Task) -> dict[str, Any]:
        """Of the statements that store a new task."""
        return {
            "owner": owner,
            "issued_at": actor.issued_second,
            "at": task.updated_at,
            "max_tasks": NO_LIMIT if self._max_tasks is None else self._max_tasks,
            **write_statements.task_params(task),
        }

    async def _add_in_steps(self, task: Task, parameters: dict[str, Any]) -> Rows:
        async with self._executor.transaction() as transaction:
            if self._writes == statements.SHARDED:
                await transaction.run(statements.set_user(), parameters)
            rows = await transaction.run(write_statements.next_revision(self._writes, grows=True), parameters)
            for revision, at in rows:
                stored = task.stored(Revision(revision), at)
                await transaction.run(write_statements.INSERT_TASK, write_statements.task_params(stored))
        return rows

    async def _refusal(self, owner: UserId, actor: Principal) -> DomainError:
        """Why a list has taken no task."""
        for (purged_at,) in await self._executor.read(write_statements.purged_at(self._dialect), {"owner": owner}):
            if purged_at is not None and actor.was_issued_by(purged_at):
                return InvalidToken(REVOKED)
        return ListFull()

    async def erase(self, owner: UserId, at: datetime) -> None:
        """See the port."""
        parameters = {"owner": owner, "at": at, "purged_at": at, "limit": self._erase_batch}

        async def erase_batch() -> int:
            async with self._executor.transaction() as transaction:
                if self._writes == statements.SHARDED:
                    await transaction.run(statements.set_user(), parameters)
                await transaction.run(write_statements.purge(self._writes), parameters)
                keys = await transaction.run(write_statements.ERASE_KEYS, parameters)
                return max(len(keys), len(await transaction.run(write_statements.ERASE_TASKS, parameters)))

        try:
            await delete_in_batches(erase_batch, self._erase_batch)
        finally:
            self._on_change(owner)
