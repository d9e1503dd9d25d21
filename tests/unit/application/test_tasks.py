from datetime import timedelta
from uuid import UUID

import pytest
from attrs import evolve

from adapters.memory.task_lists import MemoryTaskLists
from adapters.system.clock_and_ids import UuidV7Generator
from application.tasks import ChangeTask, CompleteTask, CreateTask, DeleteTask, GetTask, ListTasks, RestoreTask
from domain.errors import AccessDenied, InvalidField, RevisionMismatch, TaskNotFound
from domain.identity import Principal, UserId
from domain.task import ANY_REVISION, Revision, Revisions, Task, TaskChange, TaskId
from domain.task_list import NotModified, TaskPage, TaskQuery
from tests.support.clock import ManualClock

ALICE, BOB = Principal(UserId("alice")), Principal(UserId("bob"))
ALICES, BOBS = ALICE.user_id, BOB.user_id
NOBODYS = TaskId(UUID(int=1))


def only(*revisions: int) -> Revisions:
    return Revisions(frozenset(Revision(revision) for revision in revisions))


class World:
    """The use cases on one memory."""

    def __init__(self) -> None:
        self.lists, self.clock = MemoryTaskLists(), ManualClock()
        self.create = CreateTask(self.lists, self.clock, UuidV7Generator())
        self.list = ListTasks(self.lists)
        self.get = GetTask(self.lists)
        self.change = ChangeTask(self.lists, self.clock)
        self.complete = CompleteTask(self.lists, self.clock)
        self.delete = DeleteTask(self.lists, self.clock)
        self.restore = RestoreTask(self.lists, self.clock)

    async def task(self, title: str = "Buy milk") -> Task:
        return await self.create(ALICE, ALICES, title=title, description=None)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_created_task_can_be_read_and_listed(world: World) -> None:
    task = await world.create(ALICE, ALICES, title=" Buy milk ", description="Two bottles")
    assert (task.title, task.description, task.revision) == ("Buy milk", "Two bottles", 1)
    assert task.created_at == world.clock.now()
    assert await world.get(ALICE, ALICES, task.id) == task
    assert await world.list(ALICE, ALICES, TaskQuery()) == TaskPage((task,), Revision(1), None)


async def test_nobody_reaches_another_users_list(world: World) -> None:
    task = await world.task()
    for call in (
        world.list(BOB, ALICES, TaskQuery()),
        world.get(BOB, ALICES, task.id),
        world.create(BOB, ALICES, title="Mine now", description=None),
        world.change(BOB, ALICES, task.id, TaskChange(title="Mine now")),
        world.complete(BOB, ALICES, task.id),
        world.delete(BOB, ALICES, task.id),
        world.restore(BOB, ALICES, task.id),
    ):
        with pytest.raises(AccessDenied):
            await call
    assert await world.list(ALICE, ALICES, TaskQuery()) == TaskPage((task,), Revision(1), None)


async def test_another_users_task_looks_like_no_task_at_all(world: World) -> None:
    task = await world.task()
    for missing in (task.id, NOBODYS):
        for call in (
            world.get(BOB, BOBS, missing),
            world.change(BOB, BOBS, missing, TaskChange(title="Mine now")),
            world.complete(BOB, BOBS, missing),
            world.delete(BOB, BOBS, missing),
            world.restore(BOB, BOBS, missing),
        ):
            with pytest.raises(TaskNotFound):
                await call


async def test_every_change_takes_the_lists_next_revision(world: World) -> None:
    first, second = await world.task("first"), await world.task("second")
    world.clock.advance(timedelta(minutes=1))
    changed = await world.change(ALICE, ALICES, first.id, TaskChange(title="changed"))
    toggled = await world.complete(ALICE, ALICES, second.id)
    await world.delete(ALICE, ALICES, first.id)
    assert [first.revision, second.revision, changed.revision, toggled.revision] == [1, 2, 3, 4]
    assert changed.updated_at == world.clock.now() != first.updated_at
    assert await world.list(ALICE, ALICES, TaskQuery()) == TaskPage((toggled,), Revision(5), None)


async def test_a_change_without_effect_uses_no_revision(world: World) -> None:
    task = await world.task()
    assert await world.change(ALICE, ALICES, task.id, TaskChange(title="Buy milk")) == task
    assert await world.change(ALICE, ALICES, task.id, TaskChange()) == task
    assert await world.complete(ALICE, ALICES, task.id, completed=False) == task
    assert (await world.task("next")).revision == 2


async def test_completing_toggles_or_sets(world: World) -> None:
    task = await world.task()
    assert (await world.complete(ALICE, ALICES, task.id)).completed is True
    assert (await world.complete(ALICE, ALICES, task.id)).completed is False
    assert (await world.complete(ALICE, ALICES, task.id, completed=True)).completed is True
    assert (await world.complete(ALICE, ALICES, task.id, completed=True)).completed is True
    assert (await world.complete(ALICE, ALICES, task.id, completed=False)).completed is False


async def test_a_deleted_task_looks_like_no_task_at_all_but_leaves_a_tombstone(world: World) -> None:
    task = await world.task()
    world.clock.advance(timedelta(minutes=1))
    await world.delete(ALICE, ALICES, task.id)
    for call in (
        world.get(ALICE, ALICES, task.id),
        world.change(ALICE, ALICES, task.id, TaskChange(title="Back")),
        world.complete(ALICE, ALICES, task.id),
        world.delete(ALICE, ALICES, task.id),
    ):
        with pytest.raises(TaskNotFound):
            await call
    tombstone = world.lists._lists[ALICES].tasks[task.id]
    assert (tombstone.deleted_at, tombstone.revision) == (world.clock.now(), 2)


async def test_a_deleted_task_can_be_restored_as_it_was_at_a_new_revision(world: World) -> None:
    task = await world.complete(ALICE, ALICES, (await world.task()).id)
    await world.delete(ALICE, ALICES, task.id)
    world.clock.advance(timedelta(minutes=1))
    restored = await world.restore(ALICE, ALICES, task.id)
    assert restored == evolve(task, updated_at=world.clock.now(), revision=Revision(4))
    assert await world.get(ALICE, ALICES, task.id) == restored
    assert await world.list(ALICE, ALICES, TaskQuery()) == TaskPage((restored,), Revision(4), None)


async def test_restoring_a_task_that_is_not_deleted_uses_no_revision(world: World) -> None:
    task = await world.task()
    world.clock.advance(timedelta(minutes=1))
    assert await world.restore(ALICE, ALICES, task.id) == task
    await world.delete(ALICE, ALICES, task.id)
    restored = await world.restore(ALICE, ALICES, task.id)
    world.clock.advance(timedelta(minutes=1))
    assert await world.restore(ALICE, ALICES, task.id) == restored
    assert (await world.task("next")).revision == 4


async def test_a_tombstone_is_restored_from_the_revision_of_its_deletion_only(world: World) -> None:
    task = await world.task()
    await world.delete(ALICE, ALICES, task.id)
    for expected in (only(1), only(), ANY_REVISION):
        with pytest.raises(RevisionMismatch):
            await world.restore(ALICE, ALICES, task.id, expected=expected)
    restored = await world.restore(ALICE, ALICES, task.id, expected=only(2))
    assert restored.revision == 3
    for expected in (ANY_REVISION, only(3)):
        assert await world.restore(ALICE, ALICES, task.id, expected=expected) == restored
    with pytest.raises(RevisionMismatch):
        await world.restore(ALICE, ALICES, task.id, expected=only(2))


async def test_another_users_deleted_task_looks_like_no_task_at_all(world: World) -> None:
    task = await world.task()
    await world.delete(ALICE, ALICES, task.id)
    with pytest.raises(TaskNotFound):
        await world.restore(BOB, BOBS, task.id)
    with pytest.raises(AccessDenied):
        await world.restore(BOB, ALICES, task.id)
    assert (await world.restore(ALICE, ALICES, task.id)).revision == 3


async def test_a_change_with_an_outdated_revision_is_refused_and_changes_nothing(world: World) -> None:
    task = await world.task()
    for call in (
        world.change(ALICE, ALICES, task.id, TaskChange(title="Late"), expected=only(7)),
        world.complete(ALICE, ALICES, task.id, expected=only(7)),
        world.delete(ALICE, ALICES, task.id, expected=only(7)),
    ):
        with pytest.raises(RevisionMismatch):
            await call
    assert await world.get(ALICE, ALICES, task.id) == task
    assert (await world.complete(ALICE, ALICES, task.id, expected=only(1, 7))).revision == 2
    await world.delete(ALICE, ALICES, task.id, expected=ANY_REVISION)


async def test_a_missing_task_is_reported_before_an_outdated_revision(world: World) -> None:
    with pytest.raises(TaskNotFound):
        await world.change(ALICE, ALICES, NOBODYS, TaskChange(), expected=only(7))


async def test_a_refused_change_uses_no_revision(world: World) -> None:
    task = await world.task()
    with pytest.raises(InvalidField):
        await world.change(ALICE, ALICES, task.id, TaskChange(title=" "))
    with pytest.raises(InvalidField):
        await world.task(" ")
    assert (await world.task("next")).revision == 2


async def test_a_list_that_the_client_knows_is_not_read_again(world: World) -> None:
    task = await world.task()
    assert await world.list(ALICE, ALICES, TaskQuery(), known=only(1)) == NotModified(Revision(1))
    assert await world.list(ALICE, ALICES, TaskQuery(), known=only(9)) == TaskPage((task,), Revision(1), None)
    assert await world.list(BOB, BOBS, TaskQuery(), known=only(0)) == NotModified(Revision(0))
