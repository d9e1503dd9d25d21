"""The contract of the TaskLists port: inherited by one test class per adapter."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from attrs import evolve

from adapters.system.clock_and_ids import UuidV7Generator
from application.ports import EditableTaskList, TaskLists
from domain.errors import InvalidToken, ListFull, TaskNotFound
from domain.identity import Principal, UserId
from domain.task import ANY_REVISION, Revision, Revisions, Task, TaskChange, TaskId
from domain.task_list import NotModified, Order, PageKey, TaskPage, TaskQuery

ALICE, BOB = UserId("alice"), UserId("bob")
START = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
IDS = UuidV7Generator()


def new(title: str = "Buy milk", *, owner: UserId = ALICE, after: int = 0, description: str | None = None) -> Task:
    """A task created so many seconds after the start."""
    at = START + timedelta(seconds=after)
    return Task.new(id=IDS.next(at), owner=owner, title=title, description=description, at=at)


def actor(owner: UserId = ALICE, *, issued_at: datetime = START) -> Principal:
    """Who acts, by a token issued at that instant."""
    return Principal(owner, issued_at=issued_at.timestamp())


def edit(
    lists: TaskLists, owner: UserId = ALICE, *, at: datetime = START
) -> AbstractAsyncContextManager[EditableTaskList]:
    return lists.edit(owner, actor(owner), at=at)


async def add(lists: TaskLists, task: Task) -> Task:
    return await lists.add(task.owner, actor(task.owner), task)


async def erase(lists: TaskLists, owner: UserId = ALICE, *, at: datetime = START - timedelta(days=1)) -> None:
    """Erase the list as at an instant that is, by default, before every token."""
    await lists.erase(owner, at)


async def save(lists: TaskLists, task: Task) -> Task:
    async with edit(lists, task.owner, at=task.updated_at) as tasks:
        return await tasks.save(task)


async def restore(lists: TaskLists, task_id: TaskId, *, at: datetime = START, owner: UserId = ALICE) -> Task:
    async with edit(lists, owner, at=at) as tasks:
        return await tasks.save((await tasks.get_including_deleted(task_id)).restored(at=at))


async def get(lists: TaskLists, task_id: TaskId, owner: UserId = ALICE) -> Task:
    return await lists.open(owner).get(task_id)


async def page(lists: TaskLists, query: TaskQuery, owner: UserId = ALICE) -> TaskPage:
    found = await lists.open(owner).page(query)
    assert isinstance(found, TaskPage)
    return found


async def revision(lists: TaskLists, owner: UserId = ALICE) -> Revision:
    unchanged = await lists.open(owner).page(TaskQuery(), known=ANY_REVISION)
    assert isinstance(unchanged, NotModified)
    return unchanged.revision


async def titles(lists: TaskLists, query: TaskQuery) -> list[str]:
    """The titles on all pages, from the first to the last."""
    found: list[str] = []
    while True:
        one = await page(lists, query)
        found += [task.title for task in one.tasks]
        if one.next is None:
            return found
        query = evolve(query, after=one.next)


class TaskListsContract:
    @pytest.fixture
    def lists(self) -> TaskLists:
        raise NotImplementedError("each adapter's class returns its own")

    @pytest.fixture
    def bounded(self) -> TaskLists:
        """Lists of three tasks and tombstones at most."""
        raise NotImplementedError("each adapter's class returns its own")

    async def test_a_task_comes_back_as_it_was_stored(self, lists: TaskLists) -> None:
        stored = await add(lists, new("😀 Milch, süß\t\x01 'quoted' %_\\", description="line\nline"))
        assert await get(lists, stored.id) == stored
        assert (stored.revision, stored.created_at) == (1, START)

    async def test_an_owner_without_tasks_has_an_empty_list_at_revision_0(self, lists: TaskLists) -> None:
        assert await page(lists, TaskQuery()) == TaskPage((), Revision(0), None)
        assert await revision(lists) == 0

    async def test_an_emptied_list_keeps_its_revision(self, lists: TaskLists) -> None:
        task = await add(lists, new())
        await save(lists, task.deleted(at=START))
        assert await page(lists, TaskQuery()) == TaskPage((), Revision(2), None)

    async def test_lists_do_not_see_each_other(self, lists: TaskLists) -> None:
        hers, his = await add(lists, new("hers")), await add(lists, new("his", owner=BOB))
        assert (hers.revision, his.revision) == (1, 1)
        assert await page(lists, TaskQuery()) == TaskPage((hers,), Revision(1), None)
        with pytest.raises(TaskNotFound):
            await get(lists, his.id)
        with pytest.raises(TaskNotFound):
            async with edit(lists) as tasks:
                await tasks.get(his.id)

    async def test_two_lists_may_hold_the_same_id(self, lists: TaskLists) -> None:
        hers = await add(lists, new("hers"))
        his = await add(lists, evolve(hers, owner=BOB, title="his"))
        await save(lists, his.toggled(at=START))
        assert await get(lists, hers.id) == hers

    @pytest.mark.parametrize("others", [(), (1, 3, 2**63 - 1, 9 * 10**18, 10**19 - 1)])
    @pytest.mark.parametrize(
        "query",
        [
            TaskQuery(),
            TaskQuery(limit=1, order=Order.UPDATED_LAST_FIRST),
            TaskQuery(completed=False, text="a", after=PageKey(START, TaskId(UUID(int=0)))),
        ],
    )
    async def test_a_page_of_a_known_revision_is_not_modified(
        self, lists: TaskLists, query: TaskQuery, others: tuple[Revision, ...]
    ) -> None:
        await add(lists, new("A"))
        await add(lists, new("B", owner=BOB))
        tasks = lists.open(ALICE)
        await add(lists, new("Ab"))
        assert await tasks.page(query, known=Revisions(frozenset({Revision(2), *others}))) == NotModified(Revision(2))
        assert await tasks.page(query, known=Revisions(frozenset(others))) == await page(lists, query)
        assert len((await page(lists, query)).tasks) == min(2, query.limit)

    async def test_a_list_that_never_existed_is_known_at_revision_0(self, lists: TaskLists) -> None:
        known = Revisions(frozenset({Revision(0)}))
        assert await lists.open(ALICE).page(TaskQuery(), known=known) == NotModified(Revision(0))
        assert await lists.open(ALICE).page(TaskQuery(), known=Revisions(frozenset())) == TaskPage(
            (), Revision(0), None
        )

    async def test_every_change_takes_the_next_revision(self, lists: TaskLists) -> None:
        first, second = await add(lists, new("first")), await add(lists, new("second"))
        changed = await save(lists, first.toggled(at=START))
        assert [first.revision, second.revision, changed.revision, await revision(lists)] == [1, 2, 3, 3]
        assert await get(lists, first.id) == changed

    async def test_no_change_is_dated_before_an_earlier_one_of_its_list(self, lists: TaskLists) -> None:
        """Machines' clocks differ, and are set back."""
        later, earlier = START + timedelta(hours=1), START - timedelta(hours=1)
        old, young = await add(lists, new("old")), await add(lists, new("young", after=60))
        changed = await save(lists, old.toggled(at=later))
        assert changed.updated_at == later
        after = await add(lists, new("after"))
        assert (after.created_at, after.updated_at) == (START, later)
        async with edit(lists, at=earlier) as tasks:
            renamed = await tasks.save((await tasks.get(young.id)).changed(TaskChange(title="x"), at=earlier))
        async with edit(lists, at=earlier) as tasks:
            gone = await tasks.save((await tasks.get(after.id)).deleted(at=earlier))
        assert (renamed.updated_at, gone.updated_at, gone.deleted_at) == (later, later, later)
        assert (await restore(lists, after.id, at=earlier)).updated_at == later
        found = (await page(lists, TaskQuery(order=Order.UPDATED))).tasks
        assert [task.title for task in found] == ["old", "x", "after"]
        assert [task.updated_at for task in found] == [later] * 3
        assert (await add(lists, new(owner=BOB))).updated_at == START

    async def test_a_list_takes_as_many_tasks_and_tombstones_as_it_may(self, bounded: TaskLists) -> None:
        tasks = [await add(bounded, new(f"{number}", after=number)) for number in range(3)]
        before = await revision(bounded)
        with pytest.raises(ListFull):
            await add(bounded, new())
        gone = await save(bounded, tasks[0].deleted(at=START))
        with pytest.raises(ListFull):
            await add(bounded, new())
        assert await titles(bounded, TaskQuery()) == ["1", "2"]
        assert await revision(bounded) == before + 1, "a refused one takes no revision"
        await save(bounded, tasks[1].toggled(at=START))
        assert (await restore(bounded, gone.id)).title == "0"
        assert (await add(bounded, new(owner=BOB))).revision == 1
        await erase(bounded)
        for number in range(3):
            await add(bounded, new(f"{number}"))
        with pytest.raises(ListFull):
            await add(bounded, new())

    async def test_of_parallel_creations_as_many_succeed_as_there_is_room(self, bounded: TaskLists) -> None:
        results = await asyncio.gather(*(add(bounded, new()) for _ in range(12)), return_exceptions=True)
        assert [type(result) for result in results].count(ListFull) == 9
        assert len((await page(bounded, TaskQuery())).tasks) == 3

    async def test_a_full_list_refuses_an_old_token_as_an_old_token(self, bounded: TaskLists) -> None:
        await erase(bounded)
        for _ in range(3):
            await add(bounded, new())
        with pytest.raises(InvalidToken):
            await bounded.add(ALICE, actor(issued_at=START - timedelta(days=2)), new())

    async def test_an_exception_rolls_everything_back(self, lists: TaskLists) -> None:
        kept, other = await add(lists, new("kept")), await add(lists, new("other", after=1))
        with pytest.raises(ZeroDivisionError):
            async with edit(lists) as tasks:
                await tasks.save((await tasks.get(other.id)).deleted(at=START))
                await tasks.save(kept.toggled(at=START))
                raise ZeroDivisionError
        assert await page(lists, TaskQuery()) == TaskPage((kept, other), Revision(2), None)

    async def test_an_edit_that_stores_nothing_takes_no_revision(self, lists: TaskLists) -> None:
        task = await add(lists, new())
        async with edit(lists) as tasks:
            assert await tasks.get(task.id) == task
        assert await revision(lists) == 1
        async with edit(lists, BOB) as tasks:
            pass
        assert await revision(lists, BOB) == 0

    async def test_an_edit_sees_its_own_changes(self, lists: TaskLists) -> None:
        task, other = await add(lists, new()), await add(lists, new())
        async with edit(lists) as tasks:
            toggled = await tasks.save(task.toggled(at=START))
            assert await tasks.get(task.id) == toggled
            deleted = await tasks.save((await tasks.get(other.id)).deleted(at=START))
            assert await tasks.get_including_deleted(other.id) == deleted
            with pytest.raises(TaskNotFound):
                await tasks.get(other.id)
        assert (toggled.revision, deleted.revision, await revision(lists)) == (3, 4, 4)
        assert await get(lists, task.id) == toggled

    async def test_a_tombstone_looks_like_no_task_at_all(self, lists: TaskLists) -> None:
        task, other = await add(lists, new("gone")), await add(lists, new("here"))
        await save(lists, task.deleted(at=START))
        assert await page(lists, TaskQuery()) == TaskPage((other,), Revision(3), None)
        assert await titles(lists, TaskQuery(text="gone")) == []
        with pytest.raises(TaskNotFound):
            await get(lists, task.id)
        with pytest.raises(TaskNotFound):
            async with edit(lists) as tasks:
                await tasks.get(task.id)

    async def test_an_edit_can_get_the_tombstone_as_it_was_stored(self, lists: TaskLists) -> None:
        task, live = await add(lists, new(description="x")), await add(lists, new())
        tombstone = await save(lists, task.deleted(at=START + timedelta(hours=1)))
        async with edit(lists) as tasks:
            assert await tasks.get_including_deleted(task.id) == tombstone
            assert await tasks.get_including_deleted(live.id) == live
        assert await revision(lists) == 3

    async def test_a_tombstone_is_seen_only_by_its_owner(self, lists: TaskLists) -> None:
        his = await add(lists, new(owner=BOB))
        await save(lists, his.deleted(at=START))
        for missing in (his.id, TaskId(UUID(int=0))):
            with pytest.raises(TaskNotFound):
                async with edit(lists) as tasks:
                    await tasks.get_including_deleted(missing)
        hers = await add(lists, evolve(his, owner=ALICE, title="hers"))
        await restore(lists, his.id, owner=BOB)
        await save(lists, hers.deleted(at=START))
        assert (await get(lists, his.id, BOB)).title == "Buy milk"

    async def test_a_restored_task_is_the_deleted_one_at_a_new_revision(self, lists: TaskLists) -> None:
        task = await add(lists, new("Straße", description="line\nline"))
        task = await save(lists, task.toggled(at=START))
        await save(lists, task.deleted(at=START))
        later = START + timedelta(hours=1)
        restored = await restore(lists, task.id, at=later)
        assert restored == evolve(task, updated_at=later, revision=Revision(4))
        assert await get(lists, task.id) == restored
        assert await page(lists, TaskQuery()) == TaskPage((restored,), Revision(4), None)

    async def test_a_restored_task_is_found_by_its_words_and_its_completion(self, lists: TaskLists) -> None:
        for title, done in (("Straße", True), ("Milk", False)):
            task = await add(lists, new(title))
            task = await save(lists, task.changed(TaskChange(completed=done, description="CAF\u00c9"), at=START))
            await save(lists, task.deleted(at=START))
            assert await titles(lists, TaskQuery(text="caf\u00e9")) == []
            restored = await restore(lists, task.id)
            assert await titles(lists, TaskQuery(text=title.upper())) == [title]
            assert await titles(lists, TaskQuery(text="caf\u00e9", completed=done)) == [title]
            assert await titles(lists, TaskQuery(completed=not done)) == []
            await save(lists, restored.deleted(at=START))

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            (Order.CREATED, "abcdefg"),
            (Order.CREATED_LAST_FIRST, "gfedcba"),
            (Order.UPDATED, "acegfbd"),
            (Order.UPDATED_LAST_FIRST, "dbfgeca"),
        ],
    )
    async def test_restored_tasks_keep_their_place_by_creation_and_are_last_by_update(
        self, lists: TaskLists, order: Order, expected: str, limit: int
    ) -> None:
        tasks = {title: await add(lists, new(title, after=place)) for place, title in enumerate("abcdefg")}
        for title in "bdf":
            await save(lists, tasks[title].deleted(at=START + timedelta(minutes=1)))
        assert await titles(lists, TaskQuery(limit=limit)) == list("aceg")
        for hours, title in enumerate("fbd", start=1):
            await restore(lists, tasks[title].id, at=START + timedelta(hours=hours))
        assert await titles(lists, TaskQuery(order=order, limit=limit)) == list(expected)

    async def test_a_task_that_is_restored_between_pages_shifts_nothing(self, lists: TaskLists) -> None:
        tasks = [await add(lists, new(title, after=place)) for place, title in enumerate("abcdef")]
        for gone in (tasks[0], tasks[4]):
            await save(lists, gone.deleted(at=START))
        first = await page(lists, TaskQuery(limit=2))
        for gone in (tasks[0], tasks[4]):
            await restore(lists, gone.id)
        assert first.next is not None
        rest = await titles(lists, TaskQuery(limit=2, after=first.next))
        assert [*(task.title for task in first.tasks), *rest] == list("bcdef")

    async def test_many_deletions_and_restorations_leave_every_task_once(self, lists: TaskLists) -> None:
        tasks = [await add(lists, new(f"{number:02}", after=number)) for number in range(40)]
        live = set(range(40))
        for step in range(0, 400, 7):
            number = step % 40
            if number in live:
                await save(lists, (await get(lists, tasks[number].id)).deleted(at=START))
            else:
                await restore(lists, tasks[number].id)
            live ^= {number}
        assert 0 < len(live) < 40
        expected = [f"{number:02}" for number in sorted(live)]
        assert await titles(lists, TaskQuery(limit=7)) == expected
        assert await titles(lists, TaskQuery(order=Order.CREATED_LAST_FIRST, limit=7)) == expected[::-1]
        assert sorted(await titles(lists, TaskQuery(order=Order.UPDATED, limit=7))) == expected
        assert await revision(lists) == 40 + len(range(0, 400, 7))

    async def test_an_unknown_id_is_no_task(self, lists: TaskLists) -> None:
        with pytest.raises(TaskNotFound):
            await get(lists, TaskId(UUID(int=0)))

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            (Order.CREATED, "abcdefg"),
            (Order.CREATED_LAST_FIRST, "gfedcba"),
            (Order.UPDATED, "bdfaceg"),
            (Order.UPDATED_LAST_FIRST, "gecafdb"),
        ],
    )
    async def test_all_pages_together_are_the_list_in_order(
        self, lists: TaskLists, order: Order, expected: str, limit: int
    ) -> None:
        tasks = [await add(lists, new(title, after=place)) for place, title in enumerate("abcdefg")]
        for task in tasks[::2]:
            await save(lists, task.toggled(at=task.updated_at + timedelta(hours=1)))
        assert await titles(lists, TaskQuery(order=order, limit=limit)) == list(expected)

    @pytest.mark.parametrize("order", Order)
    async def test_tasks_of_one_instant_are_neither_lost_nor_doubled(self, lists: TaskLists, order: Order) -> None:
        for number in range(7):
            await add(lists, new(f"{number}"))
        found = await titles(lists, TaskQuery(order=order, limit=2))
        assert sorted(found) == [f"{number}" for number in range(7)]
        back = {Order.CREATED: Order.CREATED_LAST_FIRST, Order.UPDATED: Order.UPDATED_LAST_FIRST}
        if order in back:
            assert await titles(lists, TaskQuery(order=back[order], limit=3)) == found[::-1]

    async def test_a_task_that_is_added_or_deleted_between_pages_shifts_nothing(self, lists: TaskLists) -> None:
        tasks = [await add(lists, new(title, after=place)) for place, title in enumerate("abcd", start=1)]
        first = await page(lists, TaskQuery(limit=2))
        await save(lists, tasks[1].deleted(at=START))
        await add(lists, new("0", after=0))
        second = await page(lists, TaskQuery(limit=2, after=first.next))
        assert [task.title for task in (*first.tasks, *second.tasks)] == list("abcd")

    async def test_filters_narrow_every_page(self, lists: TaskLists) -> None:
        for place, title in enumerate(["Milk", "milkshake", "Bread", "MILKY WAY"]):
            task = await add(lists, new(title, after=place))
            if place % 2:
                await save(lists, task.toggled(at=START))
        assert await titles(lists, TaskQuery(completed=True, limit=1)) == ["milkshake", "MILKY WAY"]
        assert await titles(lists, TaskQuery(completed=False)) == ["Milk", "Bread"]
        assert await titles(lists, TaskQuery(text="mILK", limit=1)) == ["Milk", "milkshake", "MILKY WAY"]
        assert await titles(lists, TaskQuery(text="milk", completed=False)) == ["Milk"]
        assert await titles(lists, TaskQuery(text="milk", order=Order.CREATED_LAST_FIRST, limit=2)) == [
            "MILKY WAY",
            "milkshake",
            "Milk",
        ]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("STRASSE", ["Straße", "strasse"]),
            ("ÄPFEL", ["äpfel"]),
            ("caf\u00e9", ["cafe\u0301"]),
            ("100%", ["100%"]),
            ("a_b", ["a_b"]),
            ("\\", ["back\\slash"]),
            ("second line", ["x"]),
            ("", ["Straße", "strasse", "äpfel", "cafe\u0301", "100%", "100x", "a_b", "axb", "back\\slash", "x"]),
        ],
    )
    async def test_a_search_ignores_case_and_takes_wildcards_literally(
        self, lists: TaskLists, text: str, expected: list[str]
    ) -> None:
        given = ["Straße", "strasse", "äpfel", "cafe\u0301", "100%", "100x", "a_b", "axb", "back\\slash"]
        for place, title in enumerate(given):
            await add(lists, new(title, after=place))
        await add(lists, new("x", after=99, description="first line\nSecond Line"))
        assert await titles(lists, TaskQuery(text=text)) == expected

    async def test_a_changed_task_is_found_by_its_new_words(self, lists: TaskLists) -> None:
        task = await add(lists, new("Milk", description="white"))
        await save(lists, task.changed(TaskChange(title="Bread", description=None), at=START))
        assert await titles(lists, TaskQuery(text="milk")) == []
        assert await titles(lists, TaskQuery(text="white")) == []
        assert await titles(lists, TaskQuery(text="bread")) == ["Bread"]

    async def test_concurrent_toggles_all_count(self, lists: TaskLists) -> None:
        task = await add(lists, new())

        async def toggle() -> Revision:
            async with edit(lists) as tasks:
                return (await tasks.save((await tasks.get(task.id)).toggled(at=START))).revision

        revisions = await asyncio.gather(*(toggle() for _ in range(25)))
        assert sorted(revisions) == list(range(2, 27))
        assert (await get(lists, task.id)).completed is True

    async def test_of_parallel_deletes_one_wins(self, lists: TaskLists) -> None:
        task = await add(lists, new())

        async def delete() -> bool:
            try:
                async with edit(lists) as tasks:
                    await tasks.save((await tasks.get(task.id)).deleted(at=START))
            except TaskNotFound:
                return False
            return True

        assert sum(await asyncio.gather(*(delete() for _ in range(24)))) == 1
        assert await revision(lists) == 2

    async def test_of_parallel_restorations_one_makes_the_change(self, lists: TaskLists) -> None:
        task = await add(lists, new())
        await save(lists, task.deleted(at=START))

        async def restore_once() -> Task:
            async with edit(lists) as tasks:
                found = await tasks.get_including_deleted(task.id)
                restored = found.restored(at=START)
                return found if restored is found else await tasks.save(restored)

        results = await asyncio.gather(*(restore_once() for _ in range(24)))
        assert set(results) == {await get(lists, task.id)}
        assert await revision(lists) == 3

    async def test_a_concurrent_restoration_and_edit_are_both_kept_or_the_edit_came_too_early(
        self, lists: TaskLists
    ) -> None:
        async def rename(task_id: TaskId) -> bool:
            try:
                async with edit(lists) as tasks:
                    await tasks.save((await tasks.get(task_id)).changed(TaskChange(title="Bread"), at=START))
            except TaskNotFound:
                return False
            return True

        for before in range(0, 50, 5):
            task = await add(lists, new())
            await save(lists, task.deleted(at=START))
            both = (restore(lists, task.id), rename(task.id))
            _, renamed, bystander = await asyncio.gather(*both, add(lists, new("bystander")))
            stored = await get(lists, task.id)
            assert (stored.title, stored.deleted_at) == ("Bread" if renamed else "Buy milk", None)
            assert stored.revision != bystander.revision
            assert await revision(lists) == before + (5 if renamed else 4)
            assert renamed or await rename(task.id)

    async def test_of_two_writers_on_one_task_neither_update_is_lost(self, lists: TaskLists) -> None:
        task = await add(lists, new())

        async def change(what: TaskChange) -> None:
            async with edit(lists) as tasks:
                await tasks.save((await tasks.get(task.id)).changed(what, at=START))

        await asyncio.gather(change(TaskChange(title="Bread")), change(TaskChange(description="White")))
        stored = await get(lists, task.id)
        assert (stored.title, stored.description, stored.revision) == ("Bread", "White", 3)

    async def test_a_reader_sees_all_of_a_change_or_nothing(self, lists: TaskLists) -> None:
        task, other = await add(lists, new()), await add(lists, new("other", after=1))
        async with edit(lists) as tasks:
            await tasks.save(task.toggled(at=START))
            await tasks.save(other.deleted(at=START))
            assert await page(lists, TaskQuery()) == TaskPage((task, other), Revision(2), None)
        assert (await page(lists, TaskQuery())).revision == 4

    async def test_an_erased_list_has_no_tasks_and_no_tombstones_and_others_stay(self, lists: TaskLists) -> None:
        gone = await save(lists, (await add(lists, new("gone"))).deleted(at=START))
        here, his = await add(lists, new("here")), await add(lists, new("his", owner=BOB))
        await erase(lists)
        assert await page(lists, TaskQuery()) == TaskPage((), Revision(4), None)
        for erased in (gone.id, here.id):
            with pytest.raises(TaskNotFound):
                await restore(lists, erased)
        assert await page(lists, TaskQuery(), BOB) == TaskPage((his,), Revision(1), None)

    async def test_changes_after_an_erasure_have_higher_revisions(self, lists: TaskLists) -> None:
        erased = await add(lists, new("erased"))
        await erase(lists)
        later = await add(lists, new("later"))
        assert later.revision > erased.revision + 1
        assert await page(lists, TaskQuery()) == TaskPage((later,), later.revision, None)

    async def test_an_erased_list_refuses_the_tokens_from_before_and_takes_those_from_after(
        self, lists: TaskLists
    ) -> None:
        task = await add(lists, new())
        purged_at = START + timedelta(hours=1, milliseconds=300)
        await lists.erase(ALICE, purged_at)
        before = await revision(lists)
        for issued_at in (START, purged_at - timedelta(seconds=1), purged_at, purged_at + timedelta(milliseconds=500)):
            old = actor(issued_at=issued_at)
            with pytest.raises(InvalidToken):
                await lists.add(ALICE, old, new())
            for use in ("get", "get_including_deleted", "save"):
                with pytest.raises(InvalidToken):
                    async with lists.edit(ALICE, old, at=purged_at) as tasks:
                        await getattr(tasks, use)(task if use == "save" else task.id)
        assert await page(lists, TaskQuery()) == TaskPage((), before, None)
        stored = await lists.add(ALICE, actor(issued_at=purged_at + timedelta(seconds=1)), new())
        assert await page(lists, TaskQuery()) == TaskPage((stored,), stored.revision, None)
        assert (await add(lists, new(owner=BOB))).revision == 1

    async def test_a_list_that_never_existed_refuses_them_too(self, lists: TaskLists) -> None:
        await lists.erase(ALICE, START)
        with pytest.raises(InvalidToken):
            await add(lists, new())
        assert (await page(lists, TaskQuery())).tasks == ()

    async def test_of_several_erasures_the_latest_counts(self, lists: TaskLists) -> None:
        for hours in (1, 2, 1):
            await lists.erase(ALICE, START + timedelta(hours=hours))
        with pytest.raises(InvalidToken):
            await lists.add(ALICE, actor(issued_at=START + timedelta(hours=2)), new())
        await lists.add(ALICE, actor(issued_at=START + timedelta(hours=2, seconds=1)), new())

    async def test_every_erasure_takes_a_revision(self, lists: TaskLists) -> None:
        await erase(lists)
        assert await revision(lists) == 1
        await add(lists, new())
        await erase(lists)
        await erase(lists)
        assert await revision(lists) == 4

    async def test_a_change_that_is_under_way_leaves_no_task(self, lists: TaskLists) -> None:
        for _ in range(10):
            adding = (add(lists, new()) for _ in range(8))
            erasing = (lists.erase(owner, START) for owner in (BOB, ALICE))
            results = await asyncio.gather(*adding, *erasing, return_exceptions=True)
            assert all(isinstance(result, Task | InvalidToken | None) for result in results), results
            assert (await page(lists, TaskQuery())).tasks == ()

    async def test_concurrent_erasures_and_changes_do_not_deadlock(self, lists: TaskLists) -> None:
        for number in range(10):
            await add(lists, new(f"{number}"))
        added = (add(lists, new("new")) for _ in range(10))
        await asyncio.gather(*added, *(erase(lists) for _ in range(3)))
        await erase(lists)
        assert (await page(lists, TaskQuery())).tasks == ()
