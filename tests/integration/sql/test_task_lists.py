import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.database import Database
from adapters.sql.tables import tasks as tasks_table
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from domain.errors import InvalidField
from domain.task import Task, TaskChange
from tests.contracts.task_lists import TaskListsContract, add, edit, erase, get, new, restore, revision, save
from tests.contracts.task_pages import TaskPagesContract


@pytest.fixture
def sql_lists(database: Database) -> TaskLists:
    return SqlTaskLists(database)


class TestSqlTaskLists(TaskListsContract, TaskPagesContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def lists(self, sql_lists: TaskLists) -> TaskLists:
        return sql_lists

    @pytest.fixture
    def bounded(self, database: Database) -> TaskLists:
        return SqlTaskLists(database, 3)

    async def test_a_deleted_task_leaves_its_row_as_a_tombstone(
        self, lists: TaskLists, admin_database: Database
    ) -> None:
        at = datetime(2026, 2, 1, tzinfo=UTC)
        task = await add(lists, new())
        await save(lists, task.deleted(at=at))
        async with admin_database.reads.connect() as connection:
            row = (await connection.execute(select(tasks_table))).one()
        assert (row.id, row.deleted_at, row.updated_at, row.revision) == (task.id, at, at, 2)

    async def test_a_row_that_breaks_a_rule_is_no_task(self, lists: TaskLists, admin_database: Database) -> None:
        task = await add(lists, new())
        async with admin_database.writes.connect() as connection:
            if admin_database.dialect == "postgresql":
                await connection.execute(text("ALTER TABLE tasks DROP CONSTRAINT is_task"))
            else:
                await connection.execute(text("PRAGMA ignore_check_constraints = ON"))
            await connection.execute(text("UPDATE tasks SET title = ' '"))
            await connection.commit()
        with pytest.raises(InvalidField):
            await get(lists, task.id)


async def plan_of(connection: AsyncConnection, statement: str) -> str:
    rows = await connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))
    return "\n".join(row.detail for row in rows)


async def test_sqlite_keeps_committed_changes_through_a_power_failure(database: Database) -> None:
    if database.dialect == "postgresql":
        async with database.reads.connect() as connection:
            assert (await connection.execute(text("SHOW server_version_num"))).scalar_one()
        return
    for engine in (database.reads, database.writes):
        async with engine.connect() as connection:
            assert (await connection.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
            assert (await connection.execute(text("PRAGMA synchronous"))).scalar_one() == 2


async def test_every_statement_names_its_owner(database: Database, statements: list[str]) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    await save(lists, task.toggled(at=task.created_at))
    await get(lists, task.id)
    await save(lists, task.deleted(at=task.created_at))
    await restore(lists, task.id)
    await revision(lists)
    assert len(statements) == (9 if database.dialect == "postgresql" else 11)
    assert all("owner_id" in statement for statement in statements)


async def test_a_long_list_is_erased_in_batches(database: Database, statements: list[str]) -> None:
    lists = SqlTaskLists(database, erase_batch=2)
    for number in range(5):
        await add(lists, new(f"{number}"))
    statements.clear()
    await erase(lists)
    assert ["DELETE" in statement for statement in statements] == [False, True, True] * 3
    assert await revision(lists) == 8


async def test_an_edit_that_waited_for_another_sees_the_others_change(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    async with edit(lists) as first:
        await first.save((await first.get(task.id)).changed(TaskChange(title="Bread"), at=task.created_at))

        async def describe() -> Task:
            async with edit(lists) as second:
                found = await second.get(task.id)
                return await second.save(found.changed(TaskChange(description="White"), at=task.created_at))

        waiting = asyncio.create_task(describe())
        await until_a_change_waits(database)
    stored = await waiting
    assert (stored.title, stored.description, stored.revision) == ("Bread", "White", 3)


async def until_a_change_waits(database: Database) -> None:
    """Wait until one change waits for another's lock; on SQLite changes wait for the only connection."""
    if database.dialect == "sqlite":
        await asyncio.sleep(0)
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(30):
        while not (await database.read(waiting)).scalar_one():  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)
