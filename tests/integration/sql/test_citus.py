"""On the Citus cluster of CITUS_TEST_URL: a superuser's address of its coordinator; the tables there are replaced."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import Dialect, Executable

from adapters.sql.admin import grant_to, migrate, outdate
from adapters.sql.compiled_statements import CompiledStatement, compile_statement
from adapters.sql.database import Database, connect
from adapters.sql.distribution import distribute, read_cluster
from adapters.sql.notifications import Listener, PostgresChangeFeed
from adapters.sql.readiness import row_security_problem, table_problem
from adapters.sql.retention import SqlTombstones
from adapters.sql.task_lists import SqlTaskLists
from application.change_feed import ChangeFeed
from application.ports import TaskLists
from domain.errors import StorageUnavailable
from domain.identity import UserId
from domain.task_list import TaskQuery
from tests.contracts.changes import ChangesContract, Purge
from tests.contracts.changes_over_http import ChangesOverHttpContract
from tests.contracts.idempotency import IdempotencyContract
from tests.contracts.idempotency_over_http import IdempotencyOverHttpContract
from tests.contracts.task_lists import TaskListsContract, add, get, new, page
from tests.contracts.task_pages import TaskPagesContract
from tests.contracts.tasks_over_http import TasksOverHttpContract
from tests.contracts.watching import LossyFeed, WatchingContract
from tests.integration.sql.test_sharding import every_call
from tests.support.api import Api, running
from tests.support.postgres import OWNER, SERVICE, as_role, execute, make_roles

URL = os.environ["CITUS_TEST_URL"]
OWNED = ("task_lists", "tasks", "idempotency_keys")


async def create_tables() -> None:
    owner = connect(as_role(URL, OWNER))
    await migrate(owner)
    task = await add(SqlTaskLists(owner), new("from before", owner=UserId("earlier")))
    async with owner.writes.begin() as connection:
        await grant_to(connection, SERVICE)
    for statement in (await read_cluster(owner, SERVICE)).statements(keeps_force=False):
        await distribute(owner, statement)
    assert [*(await read_cluster(owner, SERVICE)).statements(keeps_force=False)] == []
    await owner.dispose()
    service = connect(as_role(URL, SERVICE), is_sharded=True)
    assert await get(SqlTaskLists(service), task.id, UserId("earlier")) == task
    await service.dispose()


@pytest.fixture(scope="module")
def tables() -> None:
    execute(
        URL,
        f"DROP TABLE IF EXISTS {', '.join(OWNED)}, revocations, audit_events, alembic_version",
        "DROP FUNCTION IF EXISTS set_user(text)",
    )
    make_roles(URL)
    execute(URL, f"ALTER ROLE {SERVICE} IN DATABASE {urlsplit(URL).path[1:]} RESET ALL")
    asyncio.run(create_tables())


@pytest.fixture
async def sharded(tables: None) -> AsyncIterator[Database]:  # noqa: ARG001
    execute(URL, f"TRUNCATE {', '.join(OWNED)}")
    database = connect(as_role(URL, SERVICE), is_sharded=True)
    yield database
    await database.dispose()


class TestOnCitus(TaskListsContract, TaskPagesContract, ChangesContract, IdempotencyContract):
    @pytest.fixture
    def lists(self, sharded: Database) -> TaskLists:
        return SqlTaskLists(sharded)

    @pytest.fixture
    def bounded(self, sharded: Database, request: pytest.FixtureRequest) -> TaskLists:
        is_of_keys = hasattr(IdempotencyContract, request.function.__name__)
        return SqlTaskLists(sharded, 1 if is_of_keys else 3)

    @pytest.fixture
    def purge(self, sharded: Database) -> Purge:
        return SqlTombstones(sharded).purge_before


class TestWatchingOnCitus(WatchingContract):
    @pytest.fixture
    def feed(self, sharded: Database) -> ChangeFeed:
        assert sharded.connect is not None
        return PostgresChangeFeed(Listener(sharded.connect))

    @pytest.fixture
    def lists(self, sharded: Database, lossy: LossyFeed) -> TaskLists:
        return SqlTaskLists(sharded, on_change=lossy.notify)

    @pytest.fixture
    def purge(self, sharded: Database) -> Purge:
        return SqlTombstones(sharded).purge_before


class TestEveryCallOnCitus(TasksOverHttpContract, ChangesOverHttpContract, IdempotencyOverHttpContract):
    @pytest.fixture
    async def api(self, tables: None) -> AsyncIterator[Api]:  # noqa: ARG002
        execute(URL, f"TRUNCATE {', '.join(OWNED)}")
        async with running(DATABASE_URL=as_role(URL, SERVICE), EVO_TODO_SHARDED="true") as api:
            yield api


async def test_it_is_ready(sharded: Database) -> None:
    assert await table_problem(sharded) is None
    assert await row_security_problem(sharded) is None


async def test_every_statement_on_an_owners_rows_is_one_task_of_one_server(sharded: Database) -> None:
    found: dict[str, tuple[str, ...]] = {}

    def compile_and_keep(statement: Executable, dialect: Dialect) -> CompiledStatement:
        compiled = compile_statement(statement, dialect)
        found[compiled.sql] = compiled._names
        return compiled

    assert sharded.asyncpg_executor is not None
    sharded.asyncpg_executor.compile = compile_and_keep
    await every_call(sharded)
    connection = await asyncpg.connect(as_role(URL, SERVICE))
    for sql, names in found.items():
        if sql.startswith("SELECT set_user"):
            continue
        await connection.execute(f"PREPARE asked AS {sql}")
        given = ", ".join("'alice'" if name in {"owner", "new_owner_id"} else "NULL" for name in names)
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked ({given})")]
        await connection.execute("DEALLOCATE asked")
        assert [step.split()[-1] for step in plan if "Task Count" in step] == ["1"], (sql, plan)
    await connection.close()


async def test_a_shard_that_moves_loses_no_change(sharded: Database) -> None:
    lists, owners = SqlTaskLists(sharded), [UserId(f"user-{number}") for number in range(20)]
    admin = await asyncpg.connect(URL)
    stored: dict[UserId, int] = dict.fromkeys(owners, 0)
    is_moving = True

    async def write(owner: UserId) -> None:
        while is_moving or not stored[owner]:
            with suppress(StorageUnavailable):  # a 503, which a client repeats
                await add(lists, new(owner=owner))
                stored[owner] += 1
            await asyncio.sleep(0.02)

    async def move() -> None:
        nonlocal is_moving
        place = "SELECT shardid, nodename, nodeport FROM citus_shards WHERE table_name = 'tasks'::regclass LIMIT 1"
        shard = await admin.fetchrow(place)
        target = await admin.fetchrow(
            "SELECT node_name, node_port FROM citus_get_active_worker_nodes() WHERE (node_name, node_port) <> ($1, $2)",
            shard["nodename"],
            shard["nodeport"],
        )
        try:
            move = "SELECT citus_move_shard_placement($1, $2, $3, $4, $5, 'force_logical')"
            await admin.execute("SET statement_timeout = 0")
            await admin.fetch(move, shard["shardid"], shard["nodename"], shard["nodeport"], *target, timeout=300)
        finally:
            is_moving = False

    await asyncio.gather(move(), *map(write, owners))
    await admin.close()
    for owner in owners:
        assert len((await page(lists, TaskQuery(), owner)).tasks) >= stored[owner]


async def test_after_restore_reaches_every_list(sharded: Database) -> None:
    for owner in ("ann", "ben", "cal"):
        await add(SqlTaskLists(sharded), new(owner=UserId(owner)))
    assert await outdate(sharded) == 3


def test_the_address_is_of_a_superuser() -> None:
    assert urlsplit(URL).scheme == "postgresql"
