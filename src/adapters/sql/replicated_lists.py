"""Reads from a replica, which lags behind: never older than what the client or this worker knows of the list.

Each read returns the list's revision, too. Below a revision that is known, the primary is asked; it is also asked for
what the replica does not have, and for everything while the replica is far behind, lost, or no replica at all. So lag
and loss cost time, and nobody is shown less than they have written or seen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import TypeVar

from attrs import define, frozen

from adapters.sql.replica import PATIENCE, Replica
from adapters.sql.task_lists import SqlTaskList, SqlTaskLists
from application.ports import EditableTaskList, TaskList
from domain.changes import Changes, ChangesQuery
from domain.errors import SearchUnavailable, StorageUnavailable, SyncTokenExpired
from domain.idempotency import IdempotencyKey
from domain.identity import Principal, UserId
from domain.task import NO_REVISION, Revision, Revisions, Task, TaskId
from domain.task_list import NotModified, TaskPage, TaskQuery

T = TypeVar("T")


@frozen
class ReplicatedTaskList:
    """One owner's tasks, read from the replica where it is as far as it must be, else from the primary."""

    _primary: TaskList
    _copy: SqlTaskList
    _replica: Replica
    _owner: UserId

    async def get(self, task_id: TaskId, *, seen: Revision = NO_REVISION) -> Task:
        """See the port."""
        found = await self._try(lambda: self._copy.get_with_revision(task_id))
        if found is not None:
            revision, task = found
            if task is not None and revision >= max(self._replica.required(self._owner), seen):
                return task
        return await self._primary.get(task_id)

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        """See the port. The revisions that the client has, and that its cursor is of, are known to exist."""
        found = await self._try(lambda: self._copy.page(query, known=known), patience=None if query.parts else PATIENCE)
        if found is not None:
            seen = NO_REVISION if known is None else known.latest
            cursor = NO_REVISION if query.after is None else query.after.revision
            if found.revision >= max(self._replica.required(self._owner), seen, cursor):
                return found
        return await self._primary.page(query, known=known)

    async def changes(self, query: ChangesQuery) -> Changes:
        """See the port."""
        with suppress(SyncTokenExpired):  # the token may be of a revision that the replica does not have yet
            found = await self._try(lambda: self._copy.changes(query))
            if found is not None and found.token.revision >= self._replica.required(self._owner):
                return found
        return await self._primary.changes(query)

    async def _try(self, read: Callable[[], Awaitable[T]], *, patience: float | None = PATIENCE) -> T | None:
        """Read the replica; `None` where it is not read, or does not respond in time."""
        if self._replica.problem is not None:
            return None
        try:
            async with asyncio.timeout(patience):
                return await read()
        except SearchUnavailable:
            raise
        except (StorageUnavailable, TimeoutError):
            self._replica.suspend("it does not respond")
            return None


@define
class _Saved:
    """A change of a list, and the last revision that it stored."""

    _edit: EditableTaskList
    revision: Revision | None = None

    async def get(self, task_id: TaskId) -> Task:
        return await self._edit.get(task_id)

    async def get_including_deleted(self, task_id: TaskId) -> Task:
        return await self._edit.get_including_deleted(task_id)

    async def save(self, task: Task) -> Task:
        stored = await self._edit.save(task)
        self.revision = Revision(stored.revision)
        return stored


@frozen
class ReplicatedTaskLists:
    """The port's TaskLists: changes on the primary, reads on the replica."""

    primary: SqlTaskLists
    _copies: SqlTaskLists
    _replica: Replica

    def open(self, owner: UserId) -> TaskList:
        """See the port."""
        return ReplicatedTaskList(self.primary.open(owner), self._copies.open(owner), self._replica, owner)

    def edit(self, owner: UserId, actor: Principal, *, at: datetime) -> AbstractAsyncContextManager[EditableTaskList]:
        """See the port."""
        return self._edit(owner, actor, at)

    @asynccontextmanager
    async def _edit(self, owner: UserId, actor: Principal, at: datetime) -> AsyncIterator[EditableTaskList]:
        saved: _Saved | None = None
        try:
            async with self.primary.edit(owner, actor, at=at) as tasks:
                saved = _Saved(tasks)
                yield saved
        except BaseException:
            if saved is not None and saved.revision is not None:
                self._replica.note(owner)  # it may have been stored
            raise
        if saved.revision is not None:
            self._replica.note(owner, saved.revision)

    async def add(self, owner: UserId, actor: Principal, task: Task) -> Task:
        """See the port."""
        with self._noting_doubt(owner):
            stored = await self.primary.add(owner, actor, task)
        self._replica.note(owner, Revision(stored.revision))
        return stored

    async def add_once(
        self, owner: UserId, actor: Principal, task: Task, key: IdempotencyKey, *, expired_at: datetime
    ) -> tuple[Task, bool]:
        """See the port."""
        with self._noting_doubt(owner):
            stored, is_replayed = await self.primary.add_once(owner, actor, task, key, expired_at=expired_at)
        self._replica.note(owner, Revision(stored.revision))
        return stored, is_replayed

    async def erase(self, owner: UserId, at: datetime) -> None:
        """See the port."""
        try:
            await self.primary.erase(owner, at)
        finally:
            self._replica.note(owner)

    @contextmanager
    def _noting_doubt(self, owner: UserId) -> Iterator[None]:
        """Note a change that may have been stored although it failed."""
        try:
            yield
        except (StorageUnavailable, asyncio.CancelledError):
            self._replica.note(owner)
            raise
