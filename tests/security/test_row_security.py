"""P1 to P8: the second wall. PostgreSQL holds each statement to one user, whatever the statement says."""

import asyncpg
import pytest

from adapters.sql.database import Database, connect
from adapters.sql.readiness import row_security_problem
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import StorageUnavailable, TaskNotFound
from tests.contracts.task_lists import ALICE, BOB, add, get, new, revision
from tests.support.postgres import OWNER, SERVICE, as_role

PEEK = "SELECT count(*) FROM tasks"


async def filled(url: str) -> None:
    database = connect(url)
    lists = SqlTaskLists(database)
    for owner in (ALICE, BOB):
        await add(lists, new(owner=owner))
    await database.dispose()


@pytest.fixture
async def url(migrated_postgres_url: str) -> str:
    """A database with a task of Alice's and one of Bob's, as the service's role."""
    url = as_role(migrated_postgres_url, SERVICE)
    await filled(url)
    return url


async def test_p01_the_tables_owner_is_held_too_and_who_is_not_is_told_at_the_start(
    url: str, migrated_postgres_url: str, postgres_server: str
) -> None:
    for role in (SERVICE, OWNER):
        connection = await asyncpg.connect(as_role(migrated_postgres_url, role))
        assert await connection.fetchval(PEEK) == 0
        await connection.close()
    superuser = postgres_server.rpartition("/")[0] + "/" + url.rpartition("/")[2]
    for address, all_passed in ((url, True), (superuser, False)):
        database = connect(address)
        assert (await row_security_problem(database) is None) is all_passed
        await database.dispose()


async def test_p02_without_a_user_there_are_no_rows_and_the_user_is_set_for_the_transaction(url: str) -> None:
    connection = await asyncpg.connect(url)
    assert await connection.fetchval(PEEK) == 0
    async with connection.transaction():
        await connection.execute("SELECT set_user('alice')")
        assert await connection.fetchval(PEEK) == 1
    assert await connection.fetchval(PEEK) == 0
    await connection.close()


async def test_p03_an_empty_user_is_nobody_and_no_error(url: str) -> None:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute("SELECT set_user('alice')")
    assert await connection.fetchval("SELECT current_setting('app.user_id', true)") == ""
    assert await connection.fetchval(PEEK) == 0
    async with connection.transaction():
        await connection.execute("SELECT set_user('')")
        assert await connection.fetchval(PEEK) == 0
    await connection.close()


async def test_p04_no_user_is_left_on_a_connection_for_whoever_comes_next(url: str) -> None:
    database = connect(url)
    lists = SqlTaskLists(database)
    for _ in range(20):
        await add(lists, new())
        await revision(lists, BOB)
    seen = await users_left_behind(database)
    await database.dispose()
    assert seen <= {"", None}


async def users_left_behind(database: Database) -> set[str | None]:
    """What each pooled connection has for its user when nobody uses it."""
    assert database.asyncpg_executor is not None
    assert database.asyncpg_poll_executor is not None
    left = "SELECT current_setting('app.user_id', true)"
    pools = (
        database.asyncpg_executor.reads,
        database.asyncpg_executor.writes,
        database.asyncpg_executor.searches,
        database.asyncpg_poll_executor.reads,
    )
    held = [row[0] for pool in pools for row in await pool.fetch(left, [])]
    found: set[str | None] = {*held}
    for engine in (database.reads, database.writes):
        async with engine.connect() as connection:
            row = await connection.exec_driver_sql(left)
            found.add(row.scalar_one())
    return found


async def test_p05_what_would_be_anothers_row_is_refused_and_that_is_no_oracle(url: str) -> None:
    database = connect(url)
    lists = SqlTaskLists(database)
    his = await add(lists, new(owner=BOB))
    with pytest.raises(TaskNotFound):
        await get(lists, his.id)
    await database.dispose()
    connection = await asyncpg.connect(url)
    for statement in ("UPDATE tasks SET owner_id = 'bob'", "INSERT INTO task_lists VALUES ('carol', 1)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute("SELECT set_user('alice')")
                await connection.execute(statement)
    await connection.close()


async def test_p06_there_is_no_view_and_no_function_that_passes_by(url: str) -> None:
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM pg_views WHERE schemaname = 'public'") == 0
    definers = "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    assert await connection.fetch(definers) == []
    keys = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    assert await connection.fetch(keys) == []
    await connection.close()


async def test_p07_nothing_of_a_session_is_needed_so_that_a_pooler_may_hand_connections_round(url: str) -> None:
    """Two users by queue on one connection, as behind a pooler in transaction mode."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    for _ in range(3):
        for user in ("alice", "bob"):
            async with connection.transaction():
                await connection.execute("SELECT set_user($1)", user)
                assert await connection.fetchval("SELECT string_agg(owner_id, ',') FROM tasks") == user
    await connection.close()


async def test_p08_what_the_database_refuses_or_can_not_do_now_is_no_failure_of_ours(
    url: str, postgres_server: str
) -> None:
    database = connect(url)
    lists = SqlTaskLists(database)
    await add(lists, new())
    admin = await asyncpg.connect(postgres_server)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    for _ in range(3):
        await admin.execute(cut, url.rpartition("/")[2].partition("?")[0])
        try:
            await add(lists, new())
        except StorageUnavailable:
            continue
    await add(lists, new())
    await admin.close()
    await database.dispose()
