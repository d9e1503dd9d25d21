"""Use cases of task lists, one class per verb.

Each raises AccessDenied before it opens a list, and StorageUnavailable if the storage is unavailable. Those that change
it raise InvalidToken if the list was erased after the actor's token was issued, which a worker may not know yet.
"""

from datetime import timedelta

from attrs import frozen

from application.ports import Clock, IdGenerator, TaskLists
from domain.idempotency import IdempotencyKey
from domain.identity import Principal, UserId
from domain.task import NO_REVISION, Revision, Revisions, Task, TaskChange, TaskId
from domain.task_list import NotModified, TaskPage, TaskQuery


@frozen
class ListTasks:
    """Read one page of a list."""

    lists: TaskLists

    async def __call__(
        self, actor: Principal, owner: UserId, query: TaskQuery, *, known: Revisions | None = None
    ) -> TaskPage | NotModified:
        """Return the page, or `NotModified` if the list's revision is in `known`; that takes only one small read."""
        actor.ensure_owns(owner)
        return await self.lists.open(owner).page(query, known=known)


@frozen
class GetTask:
    """Read one task."""

    lists: TaskLists

    async def __call__(self, actor: Principal, owner: UserId, task_id: TaskId, *, seen: Revision = NO_REVISION) -> Task:
        """Return the task as of the revision `seen` or later. Raise TaskNotFound if the list has no such task."""
        actor.ensure_owns(owner)
        return await self.lists.open(owner).get(task_id, seen=seen)


@frozen
class CreateTask:
    """Add a task to a list."""

    lists: TaskLists
    clock: Clock
    ids: IdGenerator

    async def __call__(self, actor: Principal, owner: UserId, *, title: str, description: str | None) -> Task:
        """Raise InvalidField if the title or the description violates its rule, or ListFull."""
        actor.ensure_owns(owner)
        now = self.clock.now()
        task = Task.new(id=self.ids.next(now), owner=owner, title=title, description=description, at=now)
        return await self.lists.add(owner, actor, task)


@frozen
class CreateTaskOnce:
    """Add a task to a list, once for each idempotency key."""

    lists: TaskLists
    clock: Clock
    ids: IdGenerator
    keep_keys: timedelta

    async def __call__(
        self, actor: Principal, owner: UserId, key: IdempotencyKey, *, title: str, description: str | None
    ) -> tuple[Task, bool]:
        """Return the task, and whether an earlier request created it.

        Raise InvalidField if the title or the description violates its rule, ListFull, or IdempotencyKeyReused.
        """
        actor.ensure_owns(owner)
        now = self.clock.now()
        task = Task.new(id=self.ids.next(now), owner=owner, title=title, description=description, at=now)
        return await self.lists.add_once(owner, actor, task, key, expired_at=now - self.keep_keys)


@frozen
class ChangeTask:
    """Change some members of a task; a change without effect stores nothing and uses no revision."""

    lists: TaskLists
    clock: Clock

    async def __call__(
        self,
        actor: Principal,
        owner: UserId,
        task_id: TaskId,
        change: TaskChange,
        *,
        expected: Revisions | None = None,
    ) -> Task:
        """Raise TaskNotFound, RevisionMismatch, or InvalidField."""
        actor.ensure_owns(owner)
        now = self.clock.now()
        async with self.lists.edit(owner, actor, at=now) as tasks:
            task = await tasks.get(task_id)
            task.ensure_revision(expected)
            changed = task.changed(change, at=now)
            return task if changed is task else await tasks.save(changed)


@frozen
class CompleteTask:
    """Toggle or set whether a task is completed."""

    lists: TaskLists
    clock: Clock

    async def __call__(
        self,
        actor: Principal,
        owner: UserId,
        task_id: TaskId,
        *,
        completed: bool | None = None,
        expected: Revisions | None = None,
    ) -> Task:
        """`None` toggles, a boolean sets. Raise TaskNotFound or RevisionMismatch."""
        actor.ensure_owns(owner)
        now = self.clock.now()
        async with self.lists.edit(owner, actor, at=now) as tasks:
            task = await tasks.get(task_id)
            task.ensure_revision(expected)
            changed = (
                task.toggled(at=now) if completed is None else task.changed(TaskChange(completed=completed), at=now)
            )
            return task if changed is task else await tasks.save(changed)


@frozen
class DeleteTask:
    """Delete a task; its tombstone is kept."""

    lists: TaskLists
    clock: Clock

    async def __call__(
        self, actor: Principal, owner: UserId, task_id: TaskId, *, expected: Revisions | None = None
    ) -> None:
        """Raise TaskNotFound or RevisionMismatch."""
        actor.ensure_owns(owner)
        now = self.clock.now()
        async with self.lists.edit(owner, actor, at=now) as tasks:
            task = await tasks.get(task_id)
            task.ensure_revision(expected)
            await tasks.save(task.deleted(at=now))


@frozen
class RestoreTask:
    """Restore a deleted task. A task that is not deleted is left unchanged, so that a retry is safe."""

    lists: TaskLists
    clock: Clock

    async def __call__(
        self, actor: Principal, owner: UserId, task_id: TaskId, *, expected: Revisions | None = None
    ) -> Task:
        """Raise TaskNotFound if neither the task nor its tombstone exists, or RevisionMismatch."""
        actor.ensure_owns(owner)
        now = self.clock.now()
        async with self.lists.edit(owner, actor, at=now) as tasks:
            task = await tasks.get_including_deleted(task_id)
            task.ensure_revision(expected)
            restored = task.restored(at=now)
            return task if restored is task else await tasks.save(restored)
