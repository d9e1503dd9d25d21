"""The use cases: what a principal can do with a list of tasks, one class per verb.

Each raises AccessDenied before anything is opened, and StorageUnavailable when the lists can't be reached.
"""

from attrs import frozen

from application.ports import Clock, IdGenerator, TaskLists
from domain.identity import Principal, UserId
from domain.task import Task, TaskChange, TaskId
from domain.task_list import NotModified, Revisions, TaskPage, TaskQuery


@frozen
class ListTasks:
    """Read one page of a list."""

    lists: TaskLists

    async def __call__(
        self, actor: Principal, owner: UserId, query: TaskQuery, *, known: Revisions | None = None
    ) -> TaskPage | NotModified:
        """The page; or `NotModified`, at the cost of one small read, when the list is at a revision that is known."""
        actor.ensure_owns(owner)
        return await self.lists.open(owner).page(query, known=known)


@frozen
class GetTask:
    """Read one task."""

    lists: TaskLists

    async def __call__(self, actor: Principal, owner: UserId, task_id: TaskId) -> Task:
        """Raise TaskNotFound when there is no such task in this list."""
        actor.ensure_owns(owner)
        return await self.lists.open(owner).get(task_id)


@frozen
class CreateTask:
    """Add a task to a list."""

    lists: TaskLists
    clock: Clock
    ids: IdGenerator

    async def __call__(self, actor: Principal, owner: UserId, *, title: str, description: str | None) -> Task:
        """Raise InvalidField when title or description breaks its rule."""
        actor.ensure_owns(owner)
        now = self.clock.now()
        task = Task.new(id=self.ids.next(now), owner=owner, title=title, description=description, at=now)
        return await self.lists.add(owner, task)


@frozen
class ChangeTask:
    """Change a task's members; a change that makes no difference leaves everything as it was."""

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
        async with self.lists.edit(owner) as tasks:
            task = await tasks.get(task_id)
            task.ensure_revision(expected)
            changed = task.changed(change, at=self.clock.now())
            return task if changed is task else await tasks.save(changed)


@frozen
class CompleteTask:
    """Toggle whether a task is done, or say which."""

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
        """`None` toggles, a truth value sets. Raise TaskNotFound or RevisionMismatch."""
        actor.ensure_owns(owner)
        async with self.lists.edit(owner) as tasks:
            task = await tasks.get(task_id)
            task.ensure_revision(expected)
            now = self.clock.now()
            changed = (
                task.toggled(at=now) if completed is None else task.changed(TaskChange(completed=completed), at=now)
            )
            return task if changed is task else await tasks.save(changed)


@frozen
class DeleteTask:
    """Take a task out of its list; its tombstone stays."""

    lists: TaskLists
    clock: Clock

    async def __call__(
        self, actor: Principal, owner: UserId, task_id: TaskId, *, expected: Revisions | None = None
    ) -> None:
        """Raise TaskNotFound or RevisionMismatch."""
        actor.ensure_owns(owner)
        async with self.lists.edit(owner) as tasks:
            task = await tasks.get(task_id)
            task.ensure_revision(expected)
            await tasks.save(task.deleted(at=self.clock.now()))


@frozen
class RestoreTask:
    """Bring a deleted task back as it was; one that is not deleted stays as it is, so that a retry is safe."""

    lists: TaskLists
    clock: Clock

    async def __call__(
        self, actor: Principal, owner: UserId, task_id: TaskId, *, expected: Revisions | None = None
    ) -> Task:
        """Raise TaskNotFound when there never was such a task, or RevisionMismatch."""
        actor.ensure_owns(owner)
        async with self.lists.edit(owner) as tasks:
            task = await tasks.get_including_deleted(task_id)
            task.ensure_revision(expected)
            restored = task.restored(at=self.clock.now())
            return task if restored is task else await tasks.save(restored)
