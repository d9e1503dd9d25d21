import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from adapters.memory.task_lists import MemoryChangeFeed, MemoryTaskLists
from application.change_feed import ChangeFeed, Subscriptions
from application.ports import TaskList, TaskLists
from application.sync import Changed, Idle, Started, WatchChanges
from domain.changes import Changes, ChangesQuery, SyncToken
from domain.errors import StorageUnavailable, TaskNotFound
from domain.identity import UserId
from domain.task import NO_REVISION, Revision, Revisions, Task
from domain.task_list import NotModified, TaskPage, TaskQuery
from tests.contracts.changes import LATER, SETTINGS, Purge, live
from tests.contracts.task_lists import ALICE, START, actor, add, erase, new
from tests.contracts.watching import HANG, LossyFeed, Watcher, WatchingContract


class TestMemoryWatching(WatchingContract):
    @pytest.fixture
    def feed(self) -> ChangeFeed:
        return MemoryChangeFeed()

    @pytest.fixture
    def lists(self, lossy: LossyFeed) -> TaskLists:
        return MemoryTaskLists(on_change=lossy.notify)

    @pytest.fixture
    def purge(self, lists: TaskLists) -> Purge:
        assert isinstance(lists, MemoryTaskLists)
        return lists.purge_before


@frozen
class CountedLists(MemoryTaskLists):
    """Counts the reads of changes, and fails some; each takes a turn of the event loop, as that of a database does."""

    counts: Counter[str] = field(init=False, factory=Counter)
    """`reads` of changes, `looks` at the revision: how many there were. `failures`: how many of the next ones fail."""

    def open(self, owner: UserId) -> TaskList:
        return CountedList(super().open(owner), self)


@frozen
class CountedList:
    tasks: TaskList
    lists: CountedLists

    async def get(self, task_id: Any, *, seen: Revision = NO_REVISION) -> Task:
        return await self.tasks.get(task_id, seen=seen)

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        self.lists.counts["looks"] += 1
        self._fail_if_due()
        return await self.tasks.page(query, known=known)

    async def changes(self, query: ChangesQuery) -> Changes:
        self.lists.counts["reads"] += 1
        await asyncio.sleep(0)
        self._fail_if_due()
        found = await self.tasks.changes(query)
        await asyncio.sleep(0)
        return found

    def _fail_if_due(self) -> None:
        if self.lists.counts["failures"]:
            self.lists.counts["failures"] -= 1
            raise StorageUnavailable


@pytest.fixture
def feed() -> MemoryChangeFeed:
    return MemoryChangeFeed()


@pytest.fixture
def counted(feed: MemoryChangeFeed) -> CountedLists:
    return CountedLists(on_change=feed.notify)


async def test_the_streams_of_a_list_share_each_read(counted: CountedLists, feed: MemoryChangeFeed) -> None:
    watch = WatchChanges(counted, feed, idle_after=HANG)
    watchers = [Watcher(watch) for _ in range(100)]
    for watcher in watchers:
        await watcher.next(Started)
    counted.counts.clear()
    following = [asyncio.create_task(watcher.next(Changed)) for watcher in watchers]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task = await add(counted, new())
    assert all(found.changes == (task,) for found in await asyncio.gather(*following))
    assert counted.counts["reads"] == 1
    for watcher in watchers:
        await watcher.leave()


async def test_one_look_serves_all_streams_of_a_list(counted: CountedLists, feed: MemoryChangeFeed) -> None:
    watch = WatchChanges(counted, feed, idle_after=0.3)
    watchers = [Watcher(watch) for _ in range(50)]
    for watcher in watchers:
        await watcher.next(Started)
    counted.counts.clear()
    for _ in range(2):
        await asyncio.gather(*(watcher.next(Idle) for watcher in watchers))
    assert 0 < counted.counts["looks"] < 50
    assert counted.counts["reads"] == 0
    for watcher in watchers:
        await watcher.leave()


async def test_a_read_that_has_begun_is_not_joined_for_it_may_not_see_the_latest_change(
    counted: CountedLists, feed: MemoryChangeFeed
) -> None:
    watch = WatchChanges(counted, feed, idle_after=HANG)
    one, two = Watcher(watch), Watcher(watch)
    await one.next(Started)
    await two.next(Started)
    first = asyncio.create_task(one.next(Changed))
    for number in range(20):
        await add(counted, new(f"{number}"))
        await asyncio.sleep(0)
    while len(two.copy) < 20:
        await two.next(Changed)
    await first
    while len(one.copy) < 20:
        await one.next(Changed)
    assert one.copy == two.copy == await live(counted)


async def test_a_storage_that_fails_at_first_is_an_error_and_later_a_delay(
    counted: CountedLists, feed: MemoryChangeFeed
) -> None:
    watch = WatchChanges(counted, feed, idle_after=HANG, retry_after=(0.0, 0.001))
    for since in (None, SyncToken(Revision(0))):
        counted.counts["failures"] = 1
        with pytest.raises(StorageUnavailable):
            await anext(watch(actor(), ALICE, since))
    watcher = Watcher(watch)
    await watcher.next(Started)
    counted.counts["failures"] = 3
    task = await add(counted, new())
    for _ in range(3):
        await watcher.next(Idle)
    assert (await watcher.next(Changed)).changes == (task,)


async def test_a_client_that_leaves_takes_nothing_from_the_others(
    counted: CountedLists, feed: MemoryChangeFeed
) -> None:
    watch = WatchChanges(counted, feed, idle_after=HANG)
    watchers = [Watcher(watch) for _ in range(3)]
    for watcher in watchers:
        await watcher.next(Started)
    following = [asyncio.create_task(watcher.next(Changed)) for watcher in watchers]
    await asyncio.sleep(0)
    task = await add(counted, new())
    following[0].cancel()
    for other in following[1:]:
        assert (await other).changes == (task,)


async def test_a_stream_that_ends_leaves_no_subscription() -> None:
    subscriptions = Subscriptions()
    feed = MemoryChangeFeed(subscriptions)
    watcher = Watcher(WatchChanges(MemoryTaskLists(on_change=feed.notify), feed))
    await watcher.next(Started)
    assert [*subscriptions] == [ALICE]
    await watcher.leave()
    assert len(subscriptions) == 0


_WATCHERS = st.integers(0, 2)
_TASKS = st.integers(0, 30)
_WRITES = st.sampled_from(["add", "toggle", "delete", "restore"])


class WatchModel(RuleBasedStateMachine):
    """Writers of one list, and slow watchers who leave and come back, in any order, while some notices are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, object]) -> None:
        self.runner.run(coroutine)

    @initialize()
    def begin(self) -> None:
        self.feed = LossyFeed(MemoryChangeFeed())
        self.lists = MemoryTaskLists(on_change=self.feed.notify)
        self.watchers = [Watcher(WatchChanges(self.lists, self.feed, idle_after=0.0001)) for _ in range(3)]
        self.made: list[Task] = []

    @rule(is_losing=st.booleans())
    def lose_notices(self, is_losing: bool) -> None:
        self.feed.is_losing = is_losing

    @rule(writes=st.lists(st.tuples(_WRITES, _TASKS), min_size=1, max_size=4))
    def write(self, writes: list[tuple[str, int]]) -> None:
        for write in writes:
            self.run(self._write(*write))

    @rule(who=_WATCHERS, times=st.integers(1, 4))
    def take(self, who: int, times: int) -> None:
        for _ in range(times):
            self.run(self.watchers[who].take())

    @rule(writes=st.lists(st.tuples(_WRITES, _TASKS), max_size=4))
    def write_and_take_at_once(self, writes: list[tuple[str, int]]) -> None:
        async def all_of_it() -> None:
            taking = (watcher.take() for watcher in self.watchers)
            await asyncio.gather(*taking, *(self._write(*write) for write in writes))

        self.run(all_of_it())

    @rule(who=_WATCHERS)
    def leave(self, who: int) -> None:
        self.run(self.watchers[who].leave())

    @rule()
    def purge(self) -> None:
        self.run(self.lists.purge_before(LATER))

    @rule(is_wanted=st.sampled_from([True, False, False, False]))
    def erase(self, is_wanted: bool) -> None:
        if is_wanted:
            self.run(erase(self.lists))

    def teardown(self) -> None:
        for watcher in getattr(self, "watchers", ()):
            self.run(self._compare(watcher))
        self.runner.close()

    async def _compare(self, watcher: Watcher) -> None:
        await watcher.settle()
        assert watcher.copy == await live(self.lists)
        await watcher.leave()

    async def _write(self, what: str, number: int) -> None:
        if what == "add" or not self.made:
            self.made.append(await add(self.lists, new(f"{number}")))
            return
        async with self.lists.edit(ALICE, actor(), at=START) as tasks:
            try:
                found = await tasks.get_including_deleted(self.made[number % len(self.made)].id)
            except TaskNotFound:
                return
            match what:
                case "toggle" if found.deleted_at is None:
                    await tasks.save(found.toggled(at=START))
                case "delete" if found.deleted_at is None:
                    await tasks.save(found.deleted(at=START))
                case "restore" if found.deleted_at is not None:
                    await tasks.save(found.restored(at=START))


TestWatchModel = WatchModel.TestCase
TestWatchModel.settings = settings(SETTINGS, max_examples=60, stateful_step_count=30)
