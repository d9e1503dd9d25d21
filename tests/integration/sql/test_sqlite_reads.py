"""On SQLite a read is done at once, or left to who can wait."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Executable, Integer, column, text

from adapters.sql import sqlite as inline_reads
from adapters.sql.database import Database, connect
from adapters.sql.sqlite import CompiledSqliteStatement, InlineReads, compile_for_sqlite
from adapters.sql.statements import page_of, page_parameters
from adapters.sql.tables import tasks
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import StorageUnavailable
from domain.task import ANY_REVISION, Revision, Revisions
from domain.task_list import Order, TaskQuery
from tests.contracts.revocations import NOON, ONE, token
from tests.contracts.task_lists import ALICE, add, get, new, page
from tests.support.worker_clock import WorkerClock

pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


def brief(database: Database) -> InlineReads:
    assert database.brief is not None
    return database.brief


async def test_a_brief_read_takes_no_thread(database: Database, statements: list[str]) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    await database.reads.dispose()
    statements.clear()
    assert await get(lists, task.id) == task
    assert (await page(lists, TaskQuery())).tasks == (task,)
    assert len(statements) == 2
    assert database.reads.pool.status().endswith("Current Checked out connections: 0")
    assert "Connections in pool: 0" in database.reads.pool.status()


async def test_nor_does_the_look_for_what_was_revoked(database: Database) -> None:
    revocations = WorkerClock().of_a_worker(database)
    await revocations.revoke(ALICE, ONE, NOON)
    elsewhere = WorkerClock().of_a_worker(database)
    for _ in ("everything", "what is new"):
        await elsewhere.refresh()
    assert elsewhere.is_revoked(token(ALICE, ONE))
    assert "Connections in pool: 0" in database.reads.pool.status()


async def test_a_long_read_is_given_up_and_done_elsewhere(
    database: Database, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_reads, "PATIENCE", 100)
    lists = SqlTaskLists(database)
    stored = [await add(lists, new(f"{number}", after=number)) for number in range(50)]
    statements.clear()
    assert (await page(lists, TaskQuery())).tasks == tuple(stored)
    assert len(statements) == 2
    assert statements[0] == statements[1]
    statements.clear()
    for task in stored:
        assert await get(lists, task.id) == task
    assert len(statements) == len(stored), "many brief reads together are no long one"


async def test_a_file_that_is_locked_is_waited_for_elsewhere(
    database: Database, migrated_url: str, statements: list[str]
) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    await database.reads.dispose()
    await database.writes.dispose()
    with sqlite3.connect(migrated_url.removeprefix("sqlite:///")) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        statements.clear()
        with pytest.raises(StorageUnavailable):
            await get(lists, task.id)
    other.close()
    assert await get(lists, task.id) == task


async def test_a_search_is_never_brief(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new("Buy milk"))

    def refuse(_: Executable) -> CompiledSqliteStatement:
        raise AssertionError("a search stops everybody else")

    brief(database).prepare = refuse
    assert (await page(lists, TaskQuery(text="milk"))).tasks == (task,)
    with pytest.raises(AssertionError):
        await page(lists, TaskQuery())


@pytest.mark.parametrize("query", [TaskQuery(limit=20), TaskQuery(order=Order.UPDATED, completed=False)])
async def test_no_task_of_a_known_revision_is_looked_at(
    database: Database, migrated_url: str, query: TaskQuery
) -> None:
    lists = SqlTaskLists(database)
    for number in range(300):
        await add(lists, new(f"{number}", after=number))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(migrated_url.removeprefix("sqlite:///"))) as connection:
        connection.set_progress_handler(count, 1)
        counted = []
        for known in (None, Revisions(frozenset({Revision(300)})), ANY_REVISION, Revisions(frozenset({Revision(7)}))):
            statement = compile_for_sqlite(page_of("sqlite", query, known))
            steps = 0
            found = connection.execute(
                statement.sql, statement.take({"owner": ALICE, **page_parameters(query, known)})
            ).fetchall()
            counted.append((len(found), steps))
    (all_, whole), (one, known_steps), (any_, any_steps), (news, news_steps) = counted
    assert all_ == news > 20
    assert (one, any_) == (1, 1)
    assert max(known_steps, any_steps) < 150 < min(whole, news_steps)


async def test_nothing_is_waited_for_that_way(database: Database) -> None:
    waits = text("PRAGMA busy_timeout").columns(column("timeout", Integer))
    assert brief(database).read(waits, {}) == [(0,)]


async def test_nothing_is_written_that_way(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        brief(database).read(text("DELETE FROM tasks RETURNING id").columns(tasks.c.id), {})
    assert (await page(lists, TaskQuery())).tasks == (task,)


async def test_what_others_have_written_is_seen_at_once(database: Database, migrated_url: str) -> None:
    lists, elsewhere = SqlTaskLists(database), connect(migrated_url)
    assert (await page(lists, TaskQuery())).tasks == ()
    task = await add(SqlTaskLists(elsewhere), new())
    await elsewhere.dispose()
    assert (await page(lists, TaskQuery())).tasks == (task,)
    await lists.erase(ALICE)
    assert (await page(lists, TaskQuery())).tasks == ()
