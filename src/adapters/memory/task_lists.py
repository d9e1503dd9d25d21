"""The task lists and their change feed in memory: for unit tests, and as the shortest implementation to read."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime

from attrs import Factory, define, evolve, frozen

from application.change_feed import Notice, Subscriptions
from application.ports import EditableTaskList, TaskList
from domain.changes import Change, Changes, ChangesQuery, Deletion, SyncToken
from domain.errors import InvalidToken, ListFull, TaskNotFound
from domain.idempotency import FirstCreation, IdempotencyKey
from domain.identity import Principal, UserId
from domain.revocation import REVOKED
from domain.task import NO_REVISION, Revision, Revisions, Task, TaskId
from domain.task_list import MAX_TASKS, NotModified, PageKey, TaskPage, TaskQuery


@define
class _List:
    tasks: dict[TaskId, Task] = Factory(dict)
    revision: Revision = Revision(0)
    changed_at: datetime = datetime.min.replace(tzinfo=UTC)
    horizon: Revision = Revision(0)
    """The highest revision of a tombstone that was purged."""
    purged_at: datetime | None = None
    """Tokens issued up to this instant may not change the list."""
    keys: dict[str, FirstCreation] = Factory(dict)
    lock: asyncio.Lock = Factory(asyncio.Lock)

    def ensure_accepts(self, actor: Principal) -> None:
        if self.purged_at is not None and actor.was_issued_by(self.purged_at):
            raise InvalidToken(REVOKED)

    def store(self, task: Task, at: datetime) -> Task:
        self.changed_at = max(self.changed_at, at)
        self.revision = Revision(self.revision + 1)
        stored = task.stored(self.revision, self.changed_at)
        self.tasks = {**self.tasks, task.id: stored}
        return stored


def _get_including_deleted(tasks: dict[TaskId, Task], task_id: TaskId) -> Task:
    task = tasks.get(task_id)
    if task is None:
        raise TaskNotFound
    return task


def _get(tasks: dict[TaskId, Task], task_id: TaskId) -> Task:
    task = _get_including_deleted(tasks, task_id)
    if task.deleted_at is not None:
        raise TaskNotFound
    return task


@frozen
class MemoryTaskList:
    """One owner's tasks for reading."""

    _list: _List

    async def get(self, task_id: TaskId, *, seen: Revision = NO_REVISION) -> Task:  # noqa: ARG002  (it has them all)
        """See the port."""
        return _get(self._list.tasks, task_id)

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        """See the port."""
        if known is not None and self._list.revision in known:
            return NotModified(self._list.revision)

        def key(task: Task) -> tuple[object, int]:
            return PageKey.of(task, query.order).key()

        def follows(task: Task) -> bool:
            if query.after is None:
                return True
            start = query.after.key()
            return key(task) < start if query.order.descending else key(task) > start

        found = sorted(
            (task for task in self._list.tasks.values() if query.selects(task) and follows(task)),
            key=key,
            reverse=query.order.descending,
        )
        return TaskPage.from_rows(tuple(found[: query.limit + 1]), query, self._list.revision)

    async def changes(self, query: ChangesQuery) -> Changes:
        """See the port."""
        state = self._list
        since = query.since or SyncToken(Revision(0), state.revision)
        found: list[Change] = []
        for task in sorted(state.tasks.values(), key=lambda task: task.revision):
            if task.deleted_at is None and task.revision > since.revision:
                found.append(task)
            elif task.deleted_at is not None and task.revision > since.deletions_after:
                found.append(Deletion(task.id, task.revision))
        return Changes.from_found(found[: query.limit + 1], query, revision=state.revision, horizon=state.horizon)


@define
class MemoryEditableTaskList:
    """One owner's tasks during one change: a copy that replaces the list when the change is complete."""

    _draft: _List
    _at: datetime

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        return _get(self._draft.tasks, task_id)

    async def get_including_deleted(self, task_id: TaskId) -> Task:
        """See the port."""
        return _get_including_deleted(self._draft.tasks, task_id)

    async def save(self, task: Task) -> Task:
        """See the port."""
        _get_including_deleted(self._draft.tasks, task.id)
        return self._draft.store(task, self._at)


@frozen
class MemoryTaskLists:
    """The port's TaskLists, in this process."""

    _max_tasks: int | None = MAX_TASKS
    _on_change: Callable[[UserId], None] = lambda _: None
    """Called after each change of a list."""
    _lists: defaultdict[UserId, _List] = Factory(lambda: defaultdict(_List))

    def open(self, owner: UserId) -> TaskList:
        """See the port."""
        return MemoryTaskList(self._lists[owner])

    def edit(self, owner: UserId, actor: Principal, *, at: datetime) -> AbstractAsyncContextManager[EditableTaskList]:
        """See the port."""
        return self._edit(owner, actor, at)

    @asynccontextmanager
    async def _edit(self, owner: UserId, actor: Principal, at: datetime) -> AsyncIterator[EditableTaskList]:
        owned = self._lists[owner]
        async with owned.lock:
            owned.ensure_accepts(actor)
            draft = evolve(owned)
            yield MemoryEditableTaskList(draft, at)
            owned.tasks, owned.revision, owned.changed_at = draft.tasks, draft.revision, draft.changed_at
            self._on_change(owner)

    async def add(self, owner: UserId, actor: Principal, task: Task) -> Task:
        """See the port."""
        owned = self._lists[owner]
        async with owned.lock:
            return self._store(owner, owned, actor, task)

    def _store(self, owner: UserId, owned: _List, actor: Principal, task: Task) -> Task:
        owned.ensure_accepts(actor)
        if self._max_tasks is not None and len(owned.tasks) >= self._max_tasks:
            raise ListFull
        stored = owned.store(task, task.updated_at)
        self._on_change(owner)
        return stored

    async def add_once(
        self, owner: UserId, actor: Principal, task: Task, key: IdempotencyKey, *, expired_at: datetime
    ) -> tuple[Task, bool]:
        """See the port."""
        owned = self._lists[owner]
        async with owned.lock:
            first = owned.keys.get(key.text)
            if first is not None and first.created_at > expired_at:
                return first.replayed(key, task), True
            stored = self._store(owner, owned, actor, task)
            owned.keys[key.text] = FirstCreation.of(key, stored)
            return stored, False

    async def purge_before(self, instant: datetime) -> int:
        """Delete the tombstones of tasks deleted before the instant; return how many there were."""
        purged = 0
        for owned in self._lists.values():
            async with owned.lock:
                gone = [task for task in owned.tasks.values() if task.deleted_at and task.deleted_at < instant]
                for task in gone:
                    del owned.tasks[task.id]
                owned.horizon = max([owned.horizon, *(task.revision for task in gone)])
                purged += len(gone)
        return purged

    async def erase(self, owner: UserId, at: datetime) -> None:
        """See the port."""
        owned = self._lists[owner]
        async with owned.lock:
            owned.purged_at = max(owned.purged_at or at, at)
            owned.tasks, owned.revision = {}, Revision(owned.revision + 1)
            owned.horizon = owned.revision
            owned.keys.clear()
            self._on_change(owner)


@frozen
class MemoryChangeFeed:
    """The port's ChangeFeed, within this process."""

    _subscriptions: Subscriptions = Factory(Subscriptions)

    def notify(self, owner: UserId) -> None:
        """See the port."""
        self._subscriptions.wake(owner)

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        """See the port."""
        return self._subscriptions.subscribe(owner)
