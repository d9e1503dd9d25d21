"""A page is made once for each revision of its list, and never sent for another one, another list or another query."""

import asyncio
import weakref
from collections.abc import AsyncIterator

import pytest
from attrs import Factory, define, evolve, frozen

from adapters.http import page_cache
from adapters.http.page_cache import LIFETIME, MAX_BYTES_TOTAL, MAX_PAGE_BYTES, PageCache
from adapters.http.responses import Response
from adapters.memory.task_lists import MemoryTaskLists
from application.ports import TaskList, TaskLists
from domain.changes import Changes, ChangesQuery
from domain.identity import UserId
from domain.task import NO_REVISION, Revision, Revisions, Task, TaskId
from domain.task_list import NotModified, TaskPage, TaskQuery
from tests.contracts.task_lists import erase
from tests.support.api import Api, InMemory, replacing, running

ALICE, BOB = UserId("alice"), UserId("bob")
TASKS = "/api/alice/tasks"


@define
class Counted:
    """A list whose tasks say how many pages have been read before them."""

    inner: TaskList
    pages: list[TaskQuery]

    async def get(self, task_id: TaskId, *, seen: Revision = NO_REVISION) -> Task:
        return await self.inner.get(task_id, seen=seen)

    async def changes(self, query: ChangesQuery) -> Changes:
        return await self.inner.changes(query)

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        found = await self.inner.page(query, known=known)
        if isinstance(found, NotModified):
            return found
        self.pages.append(query)
        tasks = tuple(evolve(task, description=f"{len(self.pages)}") for task in found.tasks)
        return evolve(found, tasks=tasks)


@frozen
class CountedLists(MemoryTaskLists):
    """Lists that tell which pages were read."""

    pages: list[TaskQuery] = Factory(list)

    def open(self, owner: UserId) -> TaskList:
        return Counted(super().open(owner), self.pages)


@pytest.fixture
def lists() -> CountedLists:
    return CountedLists()


@pytest.fixture
async def api(lists: CountedLists) -> AsyncIterator[Api]:
    async with running(InMemory(), replacing(TaskLists, lists)) as api:
        yield api


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}?limit=1&sort=-created_at", f"{TASKS}/?q=milk"])
async def test_a_page_is_read_once_for_each_revision(api: Api, lists: CountedLists, path: str) -> None:
    await api.task("Milk")
    first, second = await api("GET", path), await api("GET", path)
    assert [task["description"] for task in first.json()["data"]] == ["1"]
    assert (second.json(), second.headers["etag"]) == (first.json(), first.headers["etag"])
    await api.task("More milk")
    third = await api("GET", path)
    assert {task["description"] for task in third.json()["data"]} == {"2"}
    assert third.headers["etag"] != first.headers["etag"]
    assert len(lists.pages) == 2


async def test_lists_at_the_same_revision_are_distinguished(api: Api) -> None:
    await api.task("Hers")
    await api.task("His", user="bob")
    hers, his = await api("GET", TASKS), await api("GET", "/api/bob/tasks", user="bob")
    assert hers.headers["etag"] == his.headers["etag"]
    assert [task["title"] for task in hers.json()["data"]] == ["Hers"]
    assert [task["title"] for task in his.json()["data"]] == ["His"]


async def test_different_queries_are_distinguished(api: Api) -> None:
    await api.task("A")
    await api.task("B")
    first = (await api("GET", f"{TASKS}?limit=1")).json()
    then = (await api("GET", f"{TASKS}?limit=1&cursor={first['next_cursor']}")).json()
    assert [page["data"][0]["title"] for page in (first, then)] == ["A", "B"]


async def test_a_page_that_the_client_has_is_not_sent_again_others_are(api: Api, lists: CountedLists) -> None:
    await api.task("Milk")
    tag = (await api("GET", TASKS)).headers["etag"]

    async def status(known: str) -> int:
        return (await api("GET", TASKS, headers={"If-None-Match": known})).status_code

    assert [await status(known) for known in (tag, f'"7", {tag}', "*", '"7"', '"x"')] == [304, 304, 304, 200, 200]
    assert len(lists.pages) == 1
    await api.task("More")
    assert [await status(known) for known in (tag, '"2"', tag)] == [200, 304, 200]
    assert len(lists.pages) == 2


async def test_no_erased_page_is_sent_again(api: Api, lists: CountedLists) -> None:
    await api.task("Milk")
    await api("GET", TASKS)
    await erase(lists)
    assert (await api("GET", TASKS)).json()["data"] == []
    await api.task("Bread")
    assert [task["title"] for task in (await api("GET", TASKS)).json()["data"]] == ["Bread"]


def answer(size: int = 1) -> Response:
    return Response(200, [], b"x" * size)


def test_a_page_is_forgotten_when_its_time_is_up_used_or_not() -> None:
    now = [0.0]
    stored = PageCache(lambda: now[0])
    stored.store(ALICE, b"", Revision(1), answer())
    now[0] = LIFETIME - 1
    found = stored.find(ALICE, b"")
    assert found is not None
    assert (found.revision, found.response) == (1, answer())
    assert stored.find(BOB, b"") is None
    now[0] = LIFETIME + 1
    assert stored.find(ALICE, b"") is None


async def test_expired_pages_are_evicted_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "EVICTION_INTERVAL", 0)
    now = [0.0]
    stored = PageCache(lambda: now[0])
    tidying = asyncio.create_task(stored.run_eviction())
    erased = answer()
    let_go = weakref.ref(erased)
    stored.store(ALICE, b"", Revision(1), erased)
    del erased
    for _ in range(3):
        await asyncio.sleep(0)
    assert let_go() is not None
    now[0] = LIFETIME + 1
    for _ in range(3):
        await asyncio.sleep(0)
    assert let_go() is None
    tidying.cancel()


@pytest.mark.parametrize("query", [b"%d", b"limit=20" + b"&" * 8000 + b"q=%d"])
def test_all_pages_together_take_no_more_than_their_room(query: bytes) -> None:
    stored = PageCache()
    stored.store(ALICE, b"large", Revision(1), answer(MAX_PAGE_BYTES))
    assert stored.find(ALICE, b"large") is None
    each = MAX_PAGE_BYTES // 2 - len(query) - 2048
    for number in range(2 * MAX_BYTES_TOTAL // MAX_PAGE_BYTES + 10):
        stored.store(ALICE, query % number, Revision(1), answer(each))
        assert stored.find(ALICE, query % number) is not None
    kept = [
        number for number in range(2 * MAX_BYTES_TOTAL // MAX_PAGE_BYTES + 10) if stored.find(ALICE, query % number)
    ]
    assert len(kept) * (each + len(query)) <= MAX_BYTES_TOTAL
    assert len(kept) == 2 * MAX_BYTES_TOTAL // MAX_PAGE_BYTES
    assert kept[0] == 10
