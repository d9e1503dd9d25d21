"""Across all owners, old tombstones are deleted, and nothing else."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from adapters.sql.database import Database, connect
from adapters.sql.tables import tasks
from adapters.sql.task_lists import SqlTaskLists
from adapters.sql.tombstones import RowsHidden, SqlTombstones
from application.ports import TaskLists
from domain.errors import TaskNotFound
from domain.identity import UserId
from domain.task import Revision, Task, TaskId
from tests.contracts.task_lists import ALICE, BOB, START, add, edit, get, new, restore, revision, save
from tests.support.postgres import OWNER, SERVICE, as_role

LATER = START + timedelta(days=30)


@pytest.fixture
def lists(database: Database) -> TaskLists:
    return SqlTaskLists(database)


@pytest.fixture
def tombstones(admin_database: Database) -> SqlTombstones:
    return SqlTombstones(admin_database)


async def deleted(lists: TaskLists, *, owner: UserId = ALICE, after: int = 0) -> Task:
    """A tombstone so many seconds after the start."""
    task = await add(lists, new(owner=owner))
    return await save(lists, task.deleted(at=START + timedelta(seconds=after)))


async def kept(database: Database) -> set[TaskId]:
    async with database.reads.connect() as connection:
        return set((await connection.execute(select(tasks.c.id))).scalars())


async def test_old_tombstones_of_all_owners_are_deleted_and_tasks_and_recent_ones_stay(
    lists: TaskLists, tombstones: SqlTombstones, admin_database: Database
) -> None:
    live = await add(lists, new())
    for owner in (ALICE, ALICE, BOB, UserId("carol")):
        await deleted(lists, owner=owner)
    recent = await deleted(lists, after=1)
    assert await tombstones.purge_before(START + timedelta(seconds=1)) == 4
    assert await kept(admin_database) == {live.id, recent.id}
    assert await tombstones.purge_before(START + timedelta(seconds=1)) == 0


async def test_the_list_looks_as_before_to_every_client(lists: TaskLists, tombstones: SqlTombstones) -> None:
    live, gone = await add(lists, new()), await deleted(lists)
    before = await revision(lists)
    assert await tombstones.purge_before(LATER) == 1
    assert (await revision(lists), await get(lists, live.id)) == (before, live) == (Revision(3), live)
    with pytest.raises(TaskNotFound):
        await restore(lists, gone.id)


async def test_many_tombstones_are_deleted_in_batches_of_one_owner_each(
    lists: TaskLists, admin_database: Database
) -> None:
    tombstones = SqlTombstones(admin_database, batch=2, owners_batch=2)
    for owner in range(5):
        for _ in range(owner):
            await deleted(lists, owner=UserId(f"user-{owner}"))
    assert await tombstones.purge_before(LATER) == 10
    assert await kept(admin_database) == set()


async def test_a_task_that_is_being_restored_is_not_deleted(
    lists: TaskLists, tombstones: SqlTombstones, admin_database: Database
) -> None:
    task = await deleted(lists)
    async with edit(lists) as edited:
        tombstone = await edited.get_including_deleted(task.id)
        purging = asyncio.create_task(tombstones.purge_before(LATER))
        if admin_database.dialect == "postgresql":
            await until_a_statement_waits_for_a_lock(admin_database)
        restored = await edited.save(tombstone.restored(at=LATER))
    assert await purging == 0
    assert await get(lists, task.id) == restored


async def until_a_statement_waits_for_a_lock(database: Database) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while not (await database.read(text(waiting))).scalar_one():  # noqa: ASYNC110  (the server sends no signal)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("role", [SERVICE, OWNER])
async def test_a_role_under_row_level_security_is_refused(migrated_postgres_url: str, role: str) -> None:
    held = connect(as_role(migrated_postgres_url, role))
    try:
        await deleted(SqlTaskLists(held))
        with pytest.raises(RowsHidden):
            await SqlTombstones(held).purge_before(LATER)
    finally:
        await held.dispose()


async def test_old_tombstones_are_found_by_an_index(admin_database: Database) -> None:
    wanted = "SELECT owner_id FROM tasks WHERE owner_id > 'a' AND deleted_at IS NOT NULL AND deleted_at < '2026-01-01'"
    wanted += " GROUP BY owner_id ORDER BY owner_id LIMIT 100"
    async with admin_database.writes.begin() as connection:
        if admin_database.dialect == "postgresql":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is read as quickly
            plan = await connection.execute(text(f"EXPLAIN {wanted}"))
        else:
            plan = await connection.execute(text(f"EXPLAIN QUERY PLAN {wanted}"))
        assert "tombstones_by_revision" in "\n".join(str(row) for row in plan)
