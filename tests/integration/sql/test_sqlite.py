"""On SQLite a short read is done inside the event loop, any other in a thread."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Dialect, Executable, Integer, column, text

from adapters.sql.compiled_statements import CompiledStatement, compile_statement
from adapters.sql.database import Database, connect
from adapters.sql.page_statements import page_of, page_parameters
from adapters.sql.sqlite import SQLITE, InlineReads
from adapters.sql.tables import tasks
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import StorageUnavailable
from domain.task import ANY_REVISION, Revision, Revisions
from domain.task_list import Order, TaskQuery
from tests.contracts.revocations import NOON, ONE, token
from tests.contracts.task_lists import ALICE, add, erase, get, new, page
from tests.support.worker_clock import WorkerClock

pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


def inline_reads(database: Database) -> InlineReads:
    assert database.inline_reads is not None
    return database.inline_reads


async def test_a_short_read_takes_no_thread(database: Database, statements: list[str]) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    await database.reads.dispose()
    statements.clear()
    assert await get(lists, task.id) == task
    assert (await page(lists, TaskQuery())).tasks == (task,)
    assert len(statements) == 2
    assert database.reads.pool.status().endswith("Current Checked out connections: 0")
    assert "Connections in pool: 0" in database.reads.pool.status()


async def test_the_revocation_poll_takes_no_thread(database: Database) -> None:
    revocations = WorkerClock().of_a_worker(database)
    await revocations.revoke(ALICE, ONE, NOON)
    elsewhere = WorkerClock().of_a_worker(database)
    for _ in ("everything", "what is new"):
        await elsewhere.refresh()
    assert elsewhere.is_revoked(token(ALICE, ONE))
    assert "Connections in pool: 0" in database.reads.pool.status()


async def test_a_long_read_is_interrupted_and_repeated_in_a_thread(database: Database, statements: list[str]) -> None:
    inline_reads(database).max_vm_steps = 100
    lists = SqlTaskLists(database)
    stored = [await add(lists, new(f"{number}", after=number)) for number in range(50)]
    statements.clear()
    assert (await page(lists, TaskQuery())).tasks == tuple(stored)
    assert len(statements) == 2
    assert statements[0] == statements[1]
    statements.clear()
    for task in stored:
        assert await get(lists, task.id) == task
    assert len(statements) == len(stored), "many short reads together are no long one"


async def test_a_locked_file_is_waited_for_in_a_thread(
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


async def test_a_search_is_never_inline(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new("Buy milk"))

    def refuse(_: Executable, __: Dialect) -> CompiledStatement:
        raise AssertionError("a search blocks the event loop")

    inline_reads(database).compile = refuse
    assert (await page(lists, TaskQuery(text="milk"))).tasks == (task,)
    with pytest.raises(AssertionError):
        await page(lists, TaskQuery())


@pytest.mark.parametrize("query", [TaskQuery(limit=20), TaskQuery(order=Order.UPDATED, completed=False)])
async def test_no_task_is_read_for_a_known_revision(database: Database, migrated_url: str, query: TaskQuery) -> None:
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
            statement = compile_statement(page_of("sqlite", query, known), SQLITE)
            steps = 0
            found = connection.execute(
                statement.sql, statement.arguments({"owner": ALICE, **page_parameters(query, known)})
            ).fetchall()
            counted.append((len(found), steps))
    (all_, whole), (one, known_steps), (any_, any_steps), (news, news_steps) = counted
    assert all_ == news > 20
    assert (one, any_) == (1, 1)
    assert max(known_steps, any_steps) < 150 < min(whole, news_steps)


async def test_an_inline_read_waits_for_no_lock(database: Database) -> None:
    waits = text("PRAGMA busy_timeout").columns(column("timeout", Integer))
    assert inline_reads(database).read(waits, {}) == [(0,)]


async def test_an_inline_read_can_not_write(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        inline_reads(database).read(text("DELETE FROM tasks RETURNING id").columns(tasks.c.id), {})
    assert (await page(lists, TaskQuery())).tasks == (task,)


async def test_changes_of_others_are_read_at_once(database: Database, migrated_url: str) -> None:
    lists, elsewhere = SqlTaskLists(database), connect(migrated_url)
    assert (await page(lists, TaskQuery())).tasks == ()
    task = await add(SqlTaskLists(elsewhere), new())
    await elsewhere.dispose()
    assert (await page(lists, TaskQuery())).tasks == (task,)
    await erase(lists)
    assert (await page(lists, TaskQuery())).tasks == ()
