"""The contract of TaskList.changes, inherited by one test class per adapter, and the model that its clients follow."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from application.ports import TaskLists
from domain.changes import Changes, ChangesQuery, Deletion, SyncToken
from domain.errors import SyncTokenExpired, TaskNotFound
from domain.identity import UserId
from domain.task import Revision, Task, TaskChange, TaskId
from domain.task_list import MAX_PAGE_BYTES, Order, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, START, actor, add, erase, new, page, restore, revision, save

Purge = Callable[[datetime], Coroutine[Any, Any, int]]
LATER = START + timedelta(days=30)


async def changes(
    lists: TaskLists, since: SyncToken | None = None, *, limit: int = 1000, owner: UserId = ALICE
) -> Changes:
    return await lists.open(owner).changes(ChangesQuery(since, limit))


@define
class Client:
    """Keeps a copy of a list, a page at a time."""

    limit: int = 1000
    owner: UserId = ALICE
    copy: dict[TaskId, Task] = field(factory=dict)
    token: SyncToken | None = None
    has_more: bool = True
    """Whether the last page said that more follows, or there was none yet."""

    async def read_page(self, lists: TaskLists) -> None:
        """Read one page; begin anew where the token has expired."""
        try:
            found = await changes(lists, self.token, limit=self.limit, owner=self.owner)
        except SyncTokenExpired:
            self.copy, self.token, self.has_more = {}, None, True
            return
        assert len(found.tasks) + len(found.deleted) <= self.limit
        assert self.token is not None or not found.deleted
        assert not {task.id for task in found.tasks} & set(found.deleted)
        revisions = [task.revision for task in found.tasks]
        assert revisions == sorted(set(revisions))
        if self.token is not None:
            assert found.token.revision >= self.token.revision
            assert all(one > self.token.revision for one in revisions)
        self.copy |= {task.id: task for task in found.tasks}
        for gone in found.deleted:
            self.copy.pop(gone, None)
        self.token, self.has_more = found.token, found.has_more

    async def catch_up(self, lists: TaskLists) -> None:
        """Read pages until none follows."""
        await self.read_page(lists)
        while self.has_more:
            await self.read_page(lists)


async def live(lists: TaskLists, owner: UserId = ALICE) -> dict[TaskId, Task]:
    found: dict[TaskId, Task] = {}
    query = TaskQuery()
    while True:
        one = await page(lists, query, owner)
        found |= {task.id: task for task in one.tasks}
        if one.next is None:
            return found
        query = TaskQuery(after=one.next)


class ChangesContract:
    @pytest.fixture
    def lists(self) -> TaskLists:
        raise NotImplementedError("each adapter's class returns its own")

    @pytest.fixture
    def purge(self) -> Purge:
        """Purges the tombstones from before an instant."""
        raise NotImplementedError("each adapter's class returns its own")

    async def test_without_a_token_every_live_task_is_returned_in_the_order_of_revisions(
        self, lists: TaskLists
    ) -> None:
        first, second, third = [await add(lists, new(f"{number}")) for number in range(3)]
        await save(lists, second.deleted(at=START))
        first = await save(lists, first.toggled(at=START))
        await add(lists, new("his", owner=BOB))
        assert await changes(lists) == Changes((third, first), SyncToken(Revision(5)), has_more=False)

    async def test_a_list_that_never_existed_is_empty_and_has_a_token(self, lists: TaskLists) -> None:
        nothing = Changes((), SyncToken(Revision(0)), has_more=False)
        assert await changes(lists) == nothing
        assert await changes(lists, nothing.token) == nothing
        task = await add(lists, new())
        assert (await changes(lists, nothing.token)).tasks == (task,)

    async def test_with_a_token_what_changed_since_is_returned_each_task_once(self, lists: TaskLists) -> None:
        kept, changed, gone = [await add(lists, new(title)) for title in ("kept", "changed", "gone")]
        before = (await changes(lists)).token
        for _ in range(3):
            changed = await save(lists, changed.toggled(at=START))
        await save(lists, gone.deleted(at=START))
        brief = await add(lists, new("brief"))
        await save(lists, brief.deleted(at=START))
        found = await changes(lists, before)
        assert found == Changes(
            (changed, Deletion(gone.id, Revision(7)), Deletion(brief.id, Revision(9))),
            SyncToken(Revision(9)),
            has_more=False,
        )
        back = await restore(lists, gone.id)
        assert await changes(lists, found.token) == Changes((back,), SyncToken(Revision(10)), has_more=False)
        assert kept.id not in {task.id for task in found.tasks}

    async def test_nothing_new_is_the_same_token(self, lists: TaskLists) -> None:
        await add(lists, new())
        token = (await changes(lists)).token
        assert await changes(lists, token) == Changes((), token, has_more=False)
        await add(lists, new(owner=BOB))
        assert (await changes(lists, token, limit=1)).token == token

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
    async def test_pages_lead_to_the_list_whatever_happens_between_them(self, lists: TaskLists, limit: int) -> None:
        tasks = [await add(lists, new(f"{number}")) for number in range(6)]
        client = Client(limit)
        await client.read_page(lists)
        await save(lists, tasks[0].deleted(at=START))
        await save(lists, tasks[5].deleted(at=START))
        await save(lists, tasks[1].changed(TaskChange(title="new"), at=START))
        await add(lists, new("more"))
        await client.catch_up(lists)
        assert client.copy == await live(lists)
        assert client.token == SyncToken(await revision(lists))

    async def test_the_limit_counts_tasks_and_deletions_together(self, lists: TaskLists) -> None:
        tasks = [await add(lists, new(f"{number}")) for number in range(4)]
        token: SyncToken | None = (await changes(lists)).token
        await save(lists, tasks[0].deleted(at=START))
        await save(lists, tasks[1].toggled(at=START))
        await save(lists, tasks[2].deleted(at=START))
        pages = []
        for _ in range(2):
            found = await changes(lists, token, limit=2)
            pages.append((len(found.tasks), len(found.deleted), found.has_more))
            token = found.token
        assert pages == [(1, 1, True), (0, 1, False)]

    async def test_a_page_is_bounded_in_bytes(self, lists: TaskLists) -> None:
        text = "\x01" * 2000  # 12 000 bytes of JSON
        for number in range(150):
            await add(lists, new(f"{number}", description=text))
        client = Client()
        await client.read_page(lists)
        assert client.has_more
        assert 40 < len(client.copy) <= MAX_PAGE_BYTES // 12_000
        await client.catch_up(lists)
        assert client.copy == await live(lists)

    async def test_a_token_from_before_the_horizon_or_ahead_of_the_list_has_expired(
        self, lists: TaskLists, purge: Purge
    ) -> None:
        first = await add(lists, new())
        old = (await changes(lists)).token
        gone = await save(lists, first.deleted(at=START))
        known = (await changes(lists)).token
        await add(lists, new())
        assert (await changes(lists, old)).deleted == (first.id,)
        assert await purge(LATER) == 1
        for expired in (old, SyncToken(Revision(0)), SyncToken(Revision(4)), SyncToken(Revision(2**63 - 1))):
            with pytest.raises(SyncTokenExpired):
                await changes(lists, expired)
        assert known.revision == gone.revision
        assert len((await changes(lists, known)).tasks) == 1

    async def test_a_first_sync_ends_although_what_was_deleted_before_it_is_purged_meanwhile(
        self, lists: TaskLists, purge: Purge
    ) -> None:
        tasks = [await add(lists, new(f"{number}")) for number in range(5)]
        for task in tasks[3:]:
            await save(lists, task.deleted(at=START))
        client = Client(1)
        await client.read_page(lists)
        assert client.token == SyncToken(Revision(1), Revision(7))
        assert await purge(LATER) == 2
        await client.catch_up(lists)
        assert client.copy == await live(lists)
        assert client.token == SyncToken(Revision(7))

    async def test_a_first_sync_does_not_end_where_a_deletion_that_it_needs_was_purged(
        self, lists: TaskLists, purge: Purge
    ) -> None:
        tasks = [await add(lists, new(f"{number}")) for number in range(3)]
        first = await changes(lists, limit=1)
        await save(lists, tasks[0].deleted(at=START))
        assert await purge(LATER) == 1
        with pytest.raises(SyncTokenExpired):
            await changes(lists, first.token)

    async def test_after_an_erasure_every_token_has_expired(self, lists: TaskLists) -> None:
        await add(lists, new())
        token = (await changes(lists)).token
        await erase(lists)
        with pytest.raises(SyncTokenExpired):
            await changes(lists, token)
        assert await changes(lists) == Changes((), SyncToken(Revision(2)), has_more=False)

    async def test_a_reader_beside_many_writers_misses_nothing(self, lists: TaskLists) -> None:
        client, turns = Client(3), asyncio.Semaphore(6)  # more would wait too long for SQLite's one writer

        async def write(number: int) -> None:
            async with turns:
                task = await add(lists, new(f"{number}"))
                if number % 3:
                    task = await save(lists, task.toggled(at=START))
                if number % 2:
                    await save(lists, task.deleted(at=START))

        writing = asyncio.gather(*(write(number) for number in range(30)))
        while not writing.done():
            await client.read_page(lists)
            await asyncio.sleep(0)
        await writing
        await client.catch_up(lists)
        assert client.copy == await live(lists)


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))

_CLIENTS = 3
_TASKS = st.integers(0, 30)
_WRITES = st.sampled_from(["add", "toggle", "delete", "restore"])


class SyncModel(RuleBasedStateMachine):
    """Writers and readers of one list in any order, and at once: each client ends with the true list.

    A subclass says where the lists are and how its coroutines are run.
    """

    lists: TaskLists
    purge: Purge
    owner: UserId

    def run(self, coroutine: Coroutine[Any, Any, object]) -> object:
        raise NotImplementedError("each subclass runs its own coroutines")

    @initialize()
    def begin(self) -> None:
        self.made: list[Task] = []
        self.clients = [Client(limit, self.owner) for limit in range(1, _CLIENTS + 1)]

    @rule(what=_WRITES, number=_TASKS)
    def write(self, what: str, number: int) -> None:
        self.run(self._write(what, number))

    @rule(client=st.integers(0, _CLIENTS - 1))
    def read(self, client: int) -> None:
        self.run(self.clients[client].read_page(self.lists))

    @rule(writes=st.lists(st.tuples(_WRITES, _TASKS), max_size=5))
    def write_and_read_at_once(self, writes: list[tuple[str, int]]) -> None:
        async def all_of_it() -> None:
            reading = (client.read_page(self.lists) for client in self.clients)
            await asyncio.gather(*(self._write(*write) for write in writes), *reading)

        self.run(all_of_it())

    @rule()
    def purge_tombstones(self) -> None:
        self.run(self.purge(LATER))

    @rule(is_wanted=st.sampled_from([True, False, False, False]))
    def erase(self, is_wanted: bool) -> None:
        if is_wanted:
            self.run(erase(self.lists, self.owner))

    @invariant()
    def a_client_that_has_caught_up_has_the_true_list(self) -> None:
        self.run(self._compare(evolve(self.clients[0], copy=dict(self.clients[0].copy))))

    def teardown(self) -> None:
        for client in getattr(self, "clients", ()):
            self.run(self._compare(client))

    async def _compare(self, client: Client) -> None:
        await client.catch_up(self.lists)
        assert client.copy == await live(self.lists, self.owner)
        by_update = (await page(self.lists, TaskQuery(order=Order.UPDATED), self.owner)).tasks
        assert [task.revision for task in by_update] == sorted(task.revision for task in by_update)

    async def _write(self, what: str, number: int) -> None:
        if what == "add" or not self.made:
            self.made.append(await add(self.lists, new(f"{number}", owner=self.owner)))
            return
        task = self.made[number % len(self.made)]
        async with self.lists.edit(self.owner, actor(self.owner), at=START) as tasks:
            try:
                found = await tasks.get_including_deleted(task.id)
            except TaskNotFound:
                return
            match what:
                case "toggle" if found.deleted_at is None:
                    await tasks.save(found.toggled(at=START))
                case "delete" if found.deleted_at is None:
                    await tasks.save(found.deleted(at=START))
                case "restore" if found.deleted_at is not None:
                    await tasks.save(found.restored(at=START))
