"""The contract of TaskLists.add_once, inherited by one test class per adapter."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from application.ports import TaskLists
from domain.errors import IdempotencyKeyReused, InvalidToken, ListFull
from domain.idempotency import IdempotencyKey
from domain.identity import UserId
from domain.task import Task
from domain.task_list import TaskQuery
from tests.contracts.task_lists import ALICE, BOB, START, actor, add, new, page, revision, save

KEY = IdempotencyKey("k-1", b"one")
DAY_BEFORE = START - timedelta(days=1)


async def once(
    lists: TaskLists,
    task: Task,
    key: IdempotencyKey = KEY,
    *,
    expired_at: datetime = DAY_BEFORE,
    issued_at: datetime = START,
) -> tuple[Task, bool]:
    acting = actor(task.owner, issued_at=issued_at)
    return await lists.add_once(task.owner, acting, task, key, expired_at=expired_at)


async def ids(lists: TaskLists, owner: UserId = ALICE) -> set[object]:
    return {task.id for task in (await page(lists, TaskQuery(), owner)).tasks}


class IdempotencyContract:
    @pytest.fixture
    def lists(self) -> TaskLists:
        raise NotImplementedError("each adapter's class returns its own")

    @pytest.fixture
    def bounded(self) -> TaskLists:
        """Lists of one task at most."""
        raise NotImplementedError("each adapter's class returns its own")

    async def test_the_same_request_gets_the_first_task_again_as_it_was(self, lists: TaskLists) -> None:
        first, is_replayed = await once(lists, new(description="Two bottles"))
        assert not is_replayed
        assert await ids(lists) == {first.id}
        changed = await save(lists, first.toggled(at=START))
        for _ in range(2):
            again = new(after=60, description="Two bottles")
            assert await once(lists, again) == (first, True)
        await save(lists, changed.deleted(at=START))
        assert await once(lists, new(description="Two bottles")) == (first, True)
        assert await ids(lists) == set()
        assert await revision(lists) == 3, "a replay takes no revision"

    async def test_another_request_with_the_key_is_refused_and_stores_nothing(self, lists: TaskLists) -> None:
        first, _ = await once(lists, new())
        with pytest.raises(IdempotencyKeyReused):
            await once(lists, new("Bread"), evolve(KEY, request=b"other"))
        assert await ids(lists) == {first.id}

    async def test_keys_are_an_owners_own(self, lists: TaskLists) -> None:
        await once(lists, new())
        his, is_replayed = await once(lists, new(owner=BOB))
        assert (his.revision, is_replayed) == (1, False)
        other, is_replayed = await once(lists, new(), evolve(KEY, text="k-2"))
        assert (other.revision, is_replayed) == (2, False)

    async def test_an_expired_key_can_be_used_again(self, lists: TaskLists) -> None:
        first, _ = await once(lists, new())
        second, is_replayed = await once(lists, new("Bread", after=60), evolve(KEY, request=b"other"), expired_at=START)
        assert (second.title, is_replayed) == ("Bread", False)
        assert await ids(lists) == {first.id, second.id}
        again = await once(lists, new("Bread", after=70), evolve(KEY, request=b"other"), expired_at=START)
        assert again == (second, True)

    async def test_the_first_instant_is_that_of_the_list(self, lists: TaskLists) -> None:
        await add(lists, new(after=3600))
        first, _ = await once(lists, new())
        assert (first.created_at, first.updated_at) == (START, START + timedelta(hours=1))
        assert await once(lists, new(after=7200)) == (first, True)

    async def test_of_many_at_once_one_stores_and_all_get_its_task(self, lists: TaskLists) -> None:
        results = await asyncio.gather(*(once(lists, new(after=number)) for number in range(12)))
        assert len({task for task, _ in results}) == 1
        assert [is_replayed for _, is_replayed in results].count(False) == 1
        assert await ids(lists) == {results[0][0].id}
        assert await revision(lists) == 1

    async def test_different_requests_at_once_with_one_key_store_one_task(self, lists: TaskLists) -> None:
        keys = [evolve(KEY, request=f"{number}".encode()) for number in range(8)]
        asked = (once(lists, new(f"{number}"), key) for number, key in enumerate(keys))
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(result) for result in results].count(IdempotencyKeyReused) == 7
        assert len(await ids(lists)) == 1

    async def test_a_refusal_is_not_kept(self, bounded: TaskLists) -> None:
        other, _ = await once(bounded, new(), evolve(KEY, text="k-0"))
        with pytest.raises(ListFull):
            await once(bounded, new())
        assert await once(bounded, new(), evolve(KEY, text="k-0")) == (other, True)
        await bounded.erase(ALICE, DAY_BEFORE)
        task, is_replayed = await once(bounded, new())
        assert not is_replayed
        assert await ids(bounded) == {task.id}

    async def test_an_erased_list_has_forgotten_its_keys_and_refuses_old_tokens(self, lists: TaskLists) -> None:
        await once(lists, new())
        await lists.erase(ALICE, START)
        with pytest.raises(InvalidToken):
            await once(lists, new())
        task, is_replayed = await once(lists, new(), issued_at=START + timedelta(seconds=1))
        assert (await ids(lists), is_replayed) == ({task.id}, False)
