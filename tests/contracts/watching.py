"""What WatchChanges promises on every adapter of the lists and the feed, and the model that its clients follow."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TypeVar

import pytest
from attrs import define, field

from application.change_feed import ChangeFeed, Notice
from application.ports import TaskLists
from application.sync import Changed, Idle, Reset, Started, Update, WatchChanges
from domain.changes import Deletion, SyncToken
from domain.errors import AccessDenied
from domain.idempotency import IdempotencyKey
from domain.identity import UserId
from domain.task import Revision, Task, TaskId
from tests.contracts.changes import LATER, Purge, live
from tests.contracts.task_lists import ALICE, BOB, START, actor, add, erase, new, restore, revision, save

HANG = 30.0
"""Seconds after which a test gives up on what should have come at once."""
U = TypeVar("U", bound=Update)


@define
class LossyFeed:
    """A feed whose notices can be lost."""

    feed: ChangeFeed
    is_losing: bool = False

    def notify(self, owner: UserId) -> None:
        if not self.is_losing:
            self.feed.notify(owner)

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        return self.feed.subscribe(owner)


@define
class Watcher:
    """Keeps a copy of a list by what it is sent."""

    watch: WatchChanges
    owner: UserId = ALICE
    position: SyncToken | None = None
    copy: dict[TaskId, Task] = field(factory=dict)
    updates: AsyncGenerator[Update] | None = None

    async def take(self) -> Update:
        """The next update, in the copy; opens a stream where there is none."""
        if self.updates is None:
            self.updates = self.watch(actor(self.owner), self.owner, self.position)
        async with asyncio.timeout(HANG):
            update = await anext(self.updates)
        match update:
            case Started(position):
                if self.position is None:
                    await self._read_anew(position)
                assert position == self.position
            case Reset(position):
                await self._read_anew(position)
            case Changed(changes, after, _):
                assert changes
                assert self.position is not None
                assert after.revision >= self.position.revision
                for change in changes:
                    assert change.revision > self.position.revision
                    self.position = after.moved_to(change.revision)
                    self._apply(change)
        return update

    async def next(self, kind: type[U]) -> U:
        """The next update but Idle, which has to be of this kind."""
        while isinstance(update := await self.take(), Idle) and kind is not Idle:
            pass
        assert isinstance(update, kind), update
        return update

    async def settle(self) -> None:
        """Take updates until nothing comes any more, although notices may have been lost.

        The first Idle may be of a visit of long ago, the second one is of a visit that begins; at the third that ended.
        """
        idle = 0
        while idle < 3:
            idle = idle + 1 if isinstance(await self.take(), Idle) else 0

    async def leave(self) -> None:
        if self.updates is not None:
            await self.updates.aclose()
            self.updates = None

    def _apply(self, change: Task | Deletion) -> None:
        known = self.copy.get(change.id)
        if known is not None and known.revision > change.revision:
            return  # the list was read after that
        if isinstance(change, Task):
            self.copy[change.id] = change
        else:
            self.copy.pop(change.id, None)

    async def _read_anew(self, position: SyncToken) -> None:
        self.copy, self.position = await live(self.watch.lists, self.owner), position


class WatchingContract:
    """A subclass wires the lists to the feed."""

    @pytest.fixture
    def feed(self) -> ChangeFeed:
        raise NotImplementedError("each adapter's class returns its own")

    @pytest.fixture
    def lossy(self, feed: ChangeFeed) -> LossyFeed:
        return LossyFeed(feed)

    @pytest.fixture
    def lists(self) -> TaskLists:
        """Lists that notify the lossy feed."""
        raise NotImplementedError("each adapter's class returns its own")

    @pytest.fixture
    def purge(self) -> Purge:
        """Purges the tombstones from before an instant."""
        raise NotImplementedError("each adapter's class returns its own")

    @pytest.fixture
    def watch(self, lists: TaskLists, lossy: LossyFeed) -> WatchChanges:
        return WatchChanges(lists, lossy, idle_after=HANG)

    async def test_a_stream_starts_at_the_present_position_and_each_change_follows(
        self, lists: TaskLists, watch: WatchChanges
    ) -> None:
        await add(lists, new("before"))
        watcher = Watcher(watch)
        assert await watcher.take() == Started(SyncToken(Revision(1)))
        task = await add(lists, new("after"))
        assert (await watcher.next(Changed)).changes == (task,)
        task = await save(lists, task.toggled(at=START))
        assert (await watcher.next(Changed)).changes == (task,)
        gone = await save(lists, task.deleted(at=START))
        assert (await watcher.next(Changed)).changes == (Deletion(task.id, gone.revision),)
        back = await restore(lists, task.id)
        assert (await watcher.next(Changed)).changes == (back,)
        assert watcher.copy == await live(lists)
        await watcher.leave()

    async def test_a_creation_with_an_idempotency_key_is_one_change_and_a_replay_none(
        self, lists: TaskLists, watch: WatchChanges
    ) -> None:
        watcher = Watcher(watch)
        await watcher.next(Started)
        key, long_ago = IdempotencyKey("k", b"request"), START - timedelta(days=1)
        task, _ = await lists.add_once(ALICE, actor(), new(), key, expired_at=long_ago)
        assert (await watcher.next(Changed)).changes == (task,)
        await lists.add_once(ALICE, actor(), new(), key, expired_at=long_ago)
        other = await add(lists, new("other"))
        assert (await watcher.next(Changed)).changes == (other,)
        await watcher.leave()

    async def test_an_erasure_is_a_reset_from_which_the_stream_goes_on(
        self, lists: TaskLists, watch: WatchChanges
    ) -> None:
        await add(lists, new())
        watcher = Watcher(watch)
        await watcher.next(Started)
        await erase(lists)
        assert await watcher.next(Reset) == Reset(SyncToken(await revision(lists)))
        task = await add(lists, new())
        assert (await watcher.next(Changed)).changes == (task,)
        await watcher.leave()

    async def test_a_change_that_changes_nothing_or_another_list_is_no_update(
        self, lists: TaskLists, watch: WatchChanges
    ) -> None:
        task = await add(lists, new())
        watcher = Watcher(watch)
        await watcher.next(Started)
        async with lists.edit(ALICE, actor(), at=START) as tasks:
            await tasks.get(task.id)
        await add(lists, new(owner=BOB))
        changed = await save(lists, task.toggled(at=START))
        assert (await watcher.next(Changed)).changes == (changed,)
        await watcher.leave()

    async def test_changes_missed_since_a_position_come_first_each_task_once(
        self, lists: TaskLists, watch: WatchChanges
    ) -> None:
        kept, changed, gone = [await add(lists, new(title)) for title in ("kept", "changed", "gone")]
        watcher = Watcher(watch)
        await watcher.next(Started)
        await watcher.leave()
        for _ in range(3):
            changed = await save(lists, changed.toggled(at=START))
        await save(lists, gone.deleted(at=START))
        assert await watcher.next(Started) == Started(SyncToken(Revision(3)))
        missed = await watcher.next(Changed)
        assert missed.changes == (changed, Deletion(gone.id, Revision(7)))
        assert missed.noticed_at is None
        assert watcher.copy == {kept.id: kept, changed.id: changed}
        last = await add(lists, new("last"))
        live_change = await watcher.next(Changed)
        assert live_change.changes == (last,)
        assert live_change.noticed_at is not None
        await watcher.leave()

    async def test_more_than_a_page_that_was_missed_comes_at_once(self, lists: TaskLists, watch: WatchChanges) -> None:
        for number in range(120):
            await add(lists, new(f"{number}"))
        watcher = Watcher(watch, position=SyncToken(Revision(0)))
        await watcher.next(Started)
        while len(watcher.copy) < 120:
            await watcher.next(Changed)
        assert watcher.copy == await live(lists)
        await watcher.leave()

    async def test_a_first_sync_that_is_under_way_goes_on(self, lists: TaskLists, watch: WatchChanges) -> None:
        tasks = [await add(lists, new(f"{number}")) for number in range(4)]
        await save(lists, tasks[3].deleted(at=START))
        begun = SyncToken(Revision(1), Revision(5))
        watcher = Watcher(watch, position=begun, copy={tasks[0].id: tasks[0]})
        assert await watcher.next(Started) == Started(begun)
        assert (await watcher.next(Changed)).changes == (tasks[1], tasks[2])
        assert watcher.position == SyncToken(Revision(3), Revision(5))
        task = await add(lists, new())
        found = await watcher.next(Changed)
        assert (found.changes, found.after) == ((task,), SyncToken(Revision(5)))
        await watcher.leave()

    @pytest.mark.parametrize("position", [0, 5, 2**63 - 1])
    async def test_an_unknown_position_requires_a_new_sync(
        self, lists: TaskLists, watch: WatchChanges, purge: Purge, position: int
    ) -> None:
        gone = await add(lists, new())
        await save(lists, gone.deleted(at=START))
        await add(lists, new())
        await purge(LATER)
        watcher = Watcher(watch, position=SyncToken(Revision(position)))
        assert await watcher.next(Started) == Started(SyncToken(Revision(position)))
        assert await watcher.next(Reset) == Reset(SyncToken(Revision(3)))
        task = await add(lists, new())
        assert (await watcher.next(Changed)).changes == (task,)
        await watcher.leave()

    async def test_a_watcher_whose_deletion_was_purged_has_to_sync_again(
        self, lists: TaskLists, watch: WatchChanges, purge: Purge
    ) -> None:
        gone = await add(lists, new())
        watcher = Watcher(watch)
        await watcher.next(Started)
        await save(lists, gone.deleted(at=START))
        await purge(LATER)
        await watcher.next(Reset)
        assert watcher.copy == {}
        await watcher.leave()

    async def test_where_every_notice_is_lost_a_change_is_found_nevertheless(
        self, lists: TaskLists, lossy: LossyFeed
    ) -> None:
        lossy.is_losing = True
        watcher = Watcher(WatchChanges(lists, lossy, idle_after=0.01))
        await watcher.next(Started)
        await watcher.next(Idle)
        task = await add(lists, new())
        found = await watcher.next(Changed)
        assert found.changes == (task,)
        assert found.noticed_at is None
        await watcher.leave()

    async def test_nothing_of_another_users_list_is_read(self, watch: WatchChanges) -> None:
        with pytest.raises(AccessDenied):
            watch(actor(BOB), ALICE, None)

    async def test_watchers_of_a_list_beside_many_writers_end_with_the_true_list(
        self, lists: TaskLists, feed: ChangeFeed
    ) -> None:
        watchers = [Watcher(WatchChanges(lists, feed, idle_after=0.2)) for _ in range(4)]
        for watcher in watchers:
            await watcher.next(Started)

        async def write(number: int) -> None:
            task = await add(lists, new(f"{number}"))
            if number % 3:
                task = await save(lists, task.toggled(at=START))
            if number % 2:
                await save(lists, task.deleted(at=START))

        async def follow(watcher: Watcher, is_over: Callable[[], bool]) -> None:
            while not is_over():
                await watcher.take()
            await watcher.settle()

        writing = asyncio.gather(*(write(number) for number in range(40)))
        await asyncio.gather(writing, *(follow(watcher, writing.done) for watcher in watchers))
        truth = await live(lists)
        for watcher in watchers:
            assert watcher.copy == truth
            await watcher.leave()
