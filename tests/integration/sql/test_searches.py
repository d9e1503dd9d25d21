"""Searches: connections and a limit of their own, and what the databases do with those that are given up."""

import asyncio

import pytest
from sqlalchemy import Executable, Integer, column, text

from adapters.sql.compiled_statements import Parameters, Rows
from adapters.sql.database import SEARCHERS, Database
from adapters.sql.searches import MAX_WAITING, Searches
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from domain.errors import SearchUnavailable, TooManySearches
from domain.identity import UserId
from domain.task_list import MAX_PAGE_BYTES, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, add, get, new, page

FAST = text("SELECT 1 AS one").columns(column("one", Integer))
SLOW = {
    "postgresql": text("SELECT 1 AS one FROM pg_sleep(60)").columns(column("one", Integer)),
    "sqlite": text(
        "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 10000000000)"
        " SELECT max(n) AS one FROM counted"
    ).columns(column("one", Integer)),
}


def slow(database: Database) -> Executable:
    return SLOW[database.dialect]


async def until_busy(database: Database, searches: int) -> None:
    """Wait until so many searches run."""
    async with asyncio.timeout(30):
        while await busy(database) != searches:  # noqa: ASYNC110  (what is waited for is another process, or a thread)
            await asyncio.sleep(0.01)


async def busy(database: Database) -> int:
    """How many searches run in the database."""
    if database.thread_reads is not None:
        return database.thread_reads.running
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")
    return int((await database.read(asked)).scalar_one())


async def test_a_search_that_is_given_up_ends_in_the_database(database: Database) -> None:
    searches = Searches(database.executor)
    leaving = asyncio.create_task(searches.read(ALICE, slow(database), {}))
    await until_busy(database, 1)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await until_busy(database, 0)
    with pytest.raises(SearchUnavailable):
        await searches.read(ALICE, slow(database), {})
    await until_busy(database, 0)
    assert await searches.read(ALICE, FAST, {})


async def test_one_users_searches_wait_for_each_other_and_for_nobody_else(database: Database) -> None:
    searches = Searches(database.executor, patience=0.05)
    first = asyncio.create_task(searches.read(ALICE, slow(database), {}))
    await until_busy(database, 1)
    with pytest.raises(TooManySearches):
        await searches.read(ALICE, FAST, {})
    assert await searches.read(BOB, FAST, {})
    searches.patience = 30
    waiting = [asyncio.create_task(searches.read(ALICE, FAST, {})) for _ in range(MAX_WAITING - 1)]
    await asyncio.sleep(0)
    with pytest.raises(TooManySearches):
        await searches.read(ALICE, FAST, {})
    first.cancel()
    assert all(await asyncio.gather(*waiting))


async def test_no_number_of_searches_delays_a_read(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new(owner=BOB))
    searches = Searches(database.executor)
    users = [UserId(f"{number}") for number in range(SEARCHERS * 3)]
    asking = [asyncio.create_task(searches.read(user, slow(database), {})) for user in users]
    await until_busy(database, SEARCHERS)
    for _ in range(20):
        assert await get(lists, task.id, BOB) == task
        assert (await page(lists, TaskQuery(), BOB)).tasks == (task,)
    assert await busy(database) <= SEARCHERS
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(result) for result in results} == {SearchUnavailable}
    await until_busy(database, 0)
    assert await searches.read(ALICE, FAST, {})


async def test_a_list_that_changes_while_a_long_page_is_read_has_a_page_of_one_revision(database: Database) -> None:
    lists = SqlTaskLists(database)
    for number in range(140):
        await add(lists, new(f"{number}", after=number))
    executor = lists._executor
    reads = 0

    class Between:
        """Adds a task before the second read."""

        async def read(self, statement: Executable, parameters: Parameters) -> Rows:
            nonlocal reads
            reads += 1
            if reads == 2:
                await add(changing, new("new", after=999))
            return await executor.read(statement, parameters)

        read_many = read

    changing: TaskLists = SqlTaskLists(database)
    lists._executor = Between()  # type: ignore[assignment]
    first = await page(lists, TaskQuery())
    assert (first.revision, len(first.tasks), reads) == (140, 127, 2)
    rest = await page(changing, TaskQuery(after=first.next))
    assert [task.title for task in (*first.tasks, *rest.tasks)] == [*(str(number) for number in range(140)), "new"]


@pytest.mark.parametrize("words", ["", "x"])
async def test_what_is_read_for_a_page_is_bounded_in_bytes(database: Database, words: str) -> None:
    lists = SqlTaskLists(database)
    for number in range(300):
        await add(lists, new("x", after=number, description="😀" * 2000))
    executor, read = lists._executor, 0

    class Counting:
        """Counts the bytes of the texts that are read."""

        async def read(self, statement: Executable, parameters: Parameters) -> Rows:
            nonlocal read
            rows = await executor.search(statement, parameters)
            read += sum(len(value.encode()) for row in rows for value in row if isinstance(value, str))
            return rows

        read_many = search = read

    lists._executor = Counting()  # type: ignore[assignment]
    lists._searches = Searches(lists._executor)
    assert len((await page(lists, TaskQuery(text=words))).tasks) == 126
    assert read < 2.1 * MAX_PAGE_BYTES
