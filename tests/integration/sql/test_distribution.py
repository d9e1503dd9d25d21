"""`evo-todo distribute`, on plain PostgreSQL with functions in place of Citus: what it would run, and in which order.

Like Citus, the functions refuse to copy a table whose policies apply to its owner, and to distribute a table twice.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from adapters.sql.admin import ServiceRole, prepare_service_role
from adapters.sql.database import Database, connect
from adapters.sql.diagnostics import check_database
from adapters.sql.distribution import OWNED, SETTINGS, CannotDistribute, distribute, read_cluster
from adapters.sql.readiness import UNPLANNED, UNPROPAGATED, row_security_problem
from adapters.sql.tables import metadata
from adapters.sql.task_lists import SqlTaskLists
from application.health import Finding, Status
from tests.contracts.task_lists import add, get, new
from tests.support.postgres import OWNER, as_role, execute
from tests.support.service import evo_todo

CITUS = (
    'CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char", beside regclass)',
    """
    CREATE FUNCTION create_distributed_table(one regclass, by text, colocate_with text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT relforcerowsecurity FROM pg_class WHERE oid = one) THEN
            RAISE 'COPY FROM not supported with row-level security' USING ERRCODE = '0A000';
        END IF;
        INSERT INTO pg_dist_partition VALUES (one, 'h', colocate_with);
    END
    $$
    """,
    f"GRANT ALL ON pg_dist_partition TO {OWNER}",
    f"GRANT SET ON PARAMETER {', '.join(SETTINGS)} TO {OWNER}",  # anybody may set them where Citus is loaded
    "UPDATE pg_extension SET extname = 'citus' WHERE extname = 'plpgsql'",  # in this database alone
)


@pytest.fixture
def cluster_url(migrated_postgres_url: str, postgres_server: str) -> str:
    """A database that looks like a cluster's coordinator, for the tables' owner."""
    path = urlsplit(migrated_postgres_url).path
    execute(urlsplit(postgres_server)._replace(path=path).geturl(), *CITUS)
    return migrated_postgres_url


@pytest.fixture
async def coordinator(cluster_url: str) -> AsyncIterator[Database]:
    database = connect(cluster_url)
    yield database
    await database.dispose()


async def forced(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT relname FROM pg_class WHERE relforcerowsecurity")
    await connection.close()
    return {row["relname"] for row in rows}


@pytest.fixture
async def role(coordinator: Database, cluster_url: str, postgres_server: str) -> AsyncIterator[str]:
    """The service's, as `evo-todo migrate` creates it."""
    name = f"evo_todo_{uuid4().hex}"
    await prepare_service_role(coordinator, ServiceRole(name))
    yield name
    admin = urlsplit(postgres_server)._replace(path=urlsplit(cluster_url).path).geturl()
    execute(admin, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


async def run(database: Database, *, keeps_force: bool, role: str | None = None) -> list[str]:
    statements = [*(await read_cluster(database, role)).statements(keeps_force=keeps_force)]
    for statement in statements:
        await distribute(database, statement)
    return statements


def test_every_table_with_an_owner_is_distributed() -> None:
    assert set(OWNED) == {name for name, table in metadata.tables.items() if "owner_id" in table.c}


@pytest.mark.parametrize("keeps_force", [False, True])
async def test_tables_are_distributed_beside_each_other_once(
    coordinator: Database, cluster_url: str, *, keeps_force: bool
) -> None:
    task = await add(SqlTaskLists(coordinator), new())
    statements = await run(coordinator, keeps_force=keeps_force)
    assert [one for one in statements if "create_distributed_table" in one] == [
        "SELECT create_distributed_table('task_lists', 'owner_id')",
        "SELECT create_distributed_table('tasks', 'owner_id', colocate_with => 'task_lists')",
        "SELECT create_distributed_table('idempotency_keys', 'owner_id', colocate_with => 'task_lists')",
    ]
    assert await forced(cluster_url) == ({*OWNED} if keeps_force else set())
    assert await run(coordinator, keeps_force=keeps_force) == []
    assert await get(SqlTaskLists(coordinator), task.id) == task


@pytest.mark.parametrize("done", [1, 5, 7])
async def test_it_goes_on_where_it_was_interrupted(coordinator: Database, cluster_url: str, done: int) -> None:
    statements = [*(await read_cluster(coordinator)).statements(keeps_force=True)]
    assert len(statements) == 12
    for statement in statements[:done]:
        await distribute(coordinator, statement)
    await run(coordinator, keeps_force=True)
    assert await forced(cluster_url) == {*OWNED}
    assert (await read_cluster(coordinator)).distributed == {*OWNED}
    assert await run(coordinator, keeps_force=False) == [
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in OWNED
    ]


async def test_the_user_is_set_on_every_server(coordinator: Database, cluster_url: str) -> None:
    connection = await asyncpg.connect(cluster_url)
    source = "SELECT prosrc FROM pg_proc WHERE proname = 'set_user'"
    assert "SET LOCAL" not in await connection.fetchval(source)
    await run(coordinator, keeps_force=True)
    assert "SET LOCAL" in await connection.fetchval(source)
    assert await connection.fetchval("SELECT set_user('o''neil')") == "o'neil"
    assert not await connection.fetchval("SELECT current_setting('app.user_id', true)")
    await connection.close()


async def test_a_plain_postgresql_is_no_cluster(migrated_postgres_url: str) -> None:
    database = connect(migrated_postgres_url)
    with pytest.raises(CannotDistribute, match="no extension citus"):
        await read_cluster(database)
    await database.dispose()


async def test_the_doctor_knows_whether_the_tables_are_distributed(coordinator: Database, cluster_url: str) -> None:
    async def tables(*, is_sharded: bool) -> Finding:
        return (await check_database(cluster_url, is_sharded=is_sharded))[1]

    assert (await tables(is_sharded=False)).status is Status.OK
    assert "on one server" in (await tables(is_sharded=True)).detail
    await run(coordinator, keeps_force=True)
    assert (await tables(is_sharded=True)).status is Status.OK
    assert (await tables(is_sharded=False)).advice == "set EVO_TODO_SHARDED=true"


@pytest.mark.parametrize(("value", "problem"), [("none", UNPROPAGATED), ("local", None)])
async def test_servers_that_do_not_learn_the_user_are_not_ready(
    cluster_url: str, value: str, problem: str | None
) -> None:
    name = urlsplit(cluster_url).path[1:]
    execute(cluster_url, f"ALTER DATABASE {name} SET citus.propagate_set_commands = '{value}'")
    database = connect(cluster_url, is_sharded=True)
    assert await row_security_problem(database) == problem
    await database.dispose()


async def test_a_service_whose_statements_are_planned_once_for_all_owners_is_not_ready(
    coordinator: Database, cluster_url: str, role: str
) -> None:
    async def problem() -> str | None:
        service = connect(as_role(cluster_url, role), is_sharded=True)
        found = await row_security_problem(service)
        await service.dispose()
        return found

    await run(coordinator, keeps_force=False)
    assert await problem() == UNPLANNED
    name = urlsplit(cluster_url).path[1:]
    setting = f"ALTER ROLE {role} IN DATABASE {name} SET plan_cache_mode = 'auto'"
    assert await run(coordinator, keeps_force=False, role=role) == [setting]
    assert await problem() is None
    await prepare_service_role(coordinator, ServiceRole(role))  # as the next version's migration does
    assert await problem() is None
    assert await run(coordinator, keeps_force=False, role=role) == []


def test_a_dry_run_prints_what_would_be_run_and_changes_nothing(cluster_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": cluster_url, "EVO_TODO_SERVICE_ROLE": "evo_todo_service"}
    planned = evo_todo("distribute", "--dry-run", folder=tmp_path, settings=settings)
    assert (planned.returncode, planned.stderr) == (0, "Nothing was changed.\n")
    done = evo_todo("distribute", folder=tmp_path, settings=settings)
    assert (done.returncode, done.stderr) == (0, "The tables are distributed.\n")
    assert done.stdout == planned.stdout
    assert done.stdout.count("\n") == 9
    assert evo_todo("distribute", folder=tmp_path, settings=settings).stdout == ""


@pytest.mark.parametrize("is_migrated", [False, True])
def test_it_says_in_one_line_why_it_can_not(is_migrated: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = request.getfixturevalue("migrated_postgres_url") if is_migrated else f"sqlite:///{tmp_path}/tasks.db"
    ended = evo_todo("distribute", folder=tmp_path, settings={"DATABASE_URL": url})
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: the tables cannot be distributed: ")
    assert ended.stderr.count("\n") == 1
