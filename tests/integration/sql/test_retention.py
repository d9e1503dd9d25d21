"""Across all owners, old tombstones are deleted, and nothing else."""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, text

from adapters.sql.admin import LEAP, outdate
from adapters.sql.database import Database, connect
from adapters.sql.retention import ListRetention, SqlTombstones
from adapters.sql.tables import tasks
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from domain.changes import ChangesQuery, SyncToken
from domain.errors import ListFull, SyncTokenExpired, TaskNotFound
from domain.identity import UserId
from domain.task import Revision, Revisions, Task, TaskId
from domain.task_list import TaskPage, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, START, add, edit, get, new, restore, revision, save
from tests.support.postgres import OWNER, SERVICE, as_role

LATER = START + timedelta(days=30)


@pytest.fixture
def lists(database: Database) -> TaskLists:
    return SqlTaskLists(database)


@pytest.fixture
def tombstones(database: Database) -> SqlTombstones:
    """With the rights of the service's role."""
    return SqlTombstones(database)


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
    lists: TaskLists, database: Database, admin_database: Database
) -> None:
    tombstones = SqlTombstones(database, batch=2, owners_batch=2)
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


async def test_every_role_can_purge(migrated_postgres_url: str, postgres_server: str) -> None:
    administrator = urlsplit(postgres_server)._replace(path=urlsplit(migrated_postgres_url).path).geturl()
    for url in (*(as_role(migrated_postgres_url, role) for role in (SERVICE, OWNER)), administrator):
        held = connect(url)
        try:
            lists = SqlTaskLists(held)
            for owner in (ALICE, BOB):
                await add(lists, new(owner=owner))
                await deleted(lists, owner=owner)
            assert await SqlTombstones(held).purge_before(LATER) == 2
        finally:
            await held.dispose()


async def test_while_it_purges_it_sees_whose_lists_there_are_and_nothing_of_their_tasks(
    lists: TaskLists, database: Database
) -> None:
    if database.dialect == "sqlite":
        return
    for owner in (ALICE, BOB):
        await add(lists, new(owner=owner))
    async with database.writing() as connection:
        await connection.execute(text("SET LOCAL app.purging = 'on'"))
        owners = (await connection.execute(text("SELECT owner_id FROM task_lists ORDER BY owner_id"))).scalars()
        assert list(owners) == ["alice", "bob"]
        assert (await connection.execute(text("SELECT * FROM tasks"))).all() == []
        for change in ("UPDATE task_lists SET revision = 9", "DELETE FROM tasks"):
            assert (await connection.execute(text(change))).rowcount == 0
    async with database.writing() as connection:
        assert (await connection.execute(text("SELECT * FROM task_lists"))).all() == []


async def test_what_was_purged_is_below_the_horizon(lists: TaskLists, tombstones: SqlTombstones) -> None:
    await add(lists, new("live"))
    await deleted(lists)
    before = (await lists.open(ALICE).changes(ChangesQuery())).token
    await deleted(lists)
    await add(lists, new("last"))
    known = (await lists.open(ALICE).changes(ChangesQuery())).token
    assert await tombstones.purge_before(LATER) == 2
    with pytest.raises(SyncTokenExpired):
        await lists.open(ALICE).changes(ChangesQuery(before))
    assert (await lists.open(ALICE).changes(ChangesQuery(known))).token == known


async def test_what_was_purged_makes_room(database: Database) -> None:
    lists = SqlTaskLists(database, 3)
    for _ in range(2):
        await deleted(lists)
    await add(lists, new())
    with pytest.raises(ListFull):
        await add(lists, new())
    assert await SqlTombstones(database).purge_before(LATER) == 2
    for _ in range(2):
        await add(lists, new())
    with pytest.raises(ListFull):
        await add(lists, new())


async def test_a_worker_purges_by_itself(lists: TaskLists, database: Database) -> None:
    live = await add(lists, new())
    gone = await deleted(lists)
    task = ListRetention(database, timedelta(seconds=1), timedelta(seconds=1), lambda: LATER)
    running = asyncio.create_task(task.run())
    try:
        async with asyncio.timeout(60):
            while await has_tombstone(lists, gone.id):  # noqa: ASYNC110  (the database sends no signal)
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
    assert await get(lists, live.id) == live


async def has_tombstone(lists: TaskLists, task_id: TaskId) -> bool:
    try:
        async with edit(lists) as tasks:
            await tasks.get_including_deleted(task_id)
    except TaskNotFound:
        return False
    return True


async def test_after_a_restore_nothing_from_before_is_current(lists: TaskLists, database: Database) -> None:
    for owner in (ALICE, BOB, UserId("carol")):
        await add(lists, new(owner=owner))
    known = (await lists.open(ALICE).changes(ChangesQuery())).token
    assert await outdate(database, batch=2) == 3
    assert await outdate(database) == 3
    with pytest.raises(SyncTokenExpired):
        await lists.open(ALICE).changes(ChangesQuery(known))
    with pytest.raises(SyncTokenExpired):
        await lists.open(ALICE).changes(ChangesQuery(SyncToken(Revision(2))))
    found = await lists.open(ALICE).page(TaskQuery(), known=Revisions(frozenset({Revision(1)})))
    assert isinstance(found, TaskPage)
    later = await add(lists, new())
    assert later.revision == found.revision + 1 == 2 * LEAP + 2
    fresh = await lists.open(ALICE).changes(ChangesQuery())
    assert [task.revision for task in fresh.tasks] == [1, later.revision]
    assert (await lists.open(ALICE).changes(ChangesQuery(fresh.token))).tasks == ()


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
