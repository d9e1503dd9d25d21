"""The service's role, and the check that row-level security applies to it."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest

from adapters.sql.admin import GRANTS, ServiceRole, UnsuitableRole, migrate, prepare_service_role
from adapters.sql.database import Database, connect
from adapters.sql.readiness import BYPASSES, UNGUARDED, RowSecurityReadiness, row_security_problem
from adapters.sql.statements import PLANNER
from adapters.sql.tables import metadata
from adapters.sql.task_lists import SqlTaskLists
from tests.contracts.task_lists import START, add, erase, get, new, save
from tests.support.pgbouncer import DIRECT
from tests.support.postgres import OWNER, SERVICE, PostgresServer, as_role, execute

PASSWORD = 'it\'s a "long" one\\'


@pytest.fixture
async def owner(migrated_postgres_url: str) -> AsyncIterator[Database]:
    database = connect(migrated_postgres_url)
    yield database
    await database.dispose()


@pytest.fixture
def admin_url(postgres_server: str, migrated_postgres_url: str) -> str:
    return f"{postgres_server.rpartition('/')[0]}/{migrated_postgres_url.rpartition('/')[2]}"


@pytest.fixture
def role(admin_url: str) -> Iterator[str]:
    """The name of a role that does not exist."""
    name = f"evo_todo_{uuid4().hex}"
    execute(admin_url, f"DROP ROLE IF EXISTS {name}")
    yield name
    execute(admin_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


async def rights(url: str, role: str) -> dict[str, set[str]]:
    connection = await asyncpg.connect(url)
    found = await connection.fetch("SELECT * FROM information_schema.role_table_grants WHERE grantee = $1", role)
    await connection.close()
    granted: dict[str, set[str]] = {}
    for row in found:
        granted.setdefault(row["table_name"], set()).add(row["privilege_type"])
    return granted


async def test_the_role_is_created_with_the_rights_that_it_needs_and_no_others(
    owner: Database, migrated_postgres_url: str, role: str
) -> None:
    await prepare_service_role(owner, ServiceRole(role))
    expected = {table: set(granted.split(", ")) for table, granted in GRANTS.items()}
    assert await rights(migrated_postgres_url, role) == expected
    assert set(GRANTS) == {*metadata.tables, "alembic_version"}

    execute(migrated_postgres_url, f"GRANT ALL ON tasks TO {role}")
    await prepare_service_role(owner, ServiceRole(role))
    assert await rights(migrated_postgres_url, role) == expected


async def test_the_role_can_do_the_services_work_under_row_level_security(
    owner: Database, migrated_postgres_url: str, role: str
) -> None:
    await prepare_service_role(owner, ServiceRole(role))
    service = connect(as_role(migrated_postgres_url, role))
    try:
        assert await row_security_problem(service) is None
        lists = SqlTaskLists(service)
        task = await save(lists, (await add(lists, new())).toggled(at=START))
        assert await get(lists, task.id) == task
        await erase(lists)
        async with service.reads.connect() as connection:
            (attributes,) = await connection.exec_driver_sql(
                "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
                " FROM pg_roles WHERE rolname = current_user"
            )
            assert tuple(attributes) == (True, False, False, False, False, False)
    finally:
        await service.dispose()


async def test_the_server_itself_ends_the_roles_long_statements_and_plans_them_once(
    owner: Database, migrated_postgres_url: str, role: str
) -> None:
    for _ in range(2):
        await prepare_service_role(owner, ServiceRole(role))
    connection = await asyncpg.connect(as_role(migrated_postgres_url, role))
    assert await connection.fetchval("SHOW statement_timeout") == "3s"
    for name, value in PLANNER.items():
        assert await connection.fetchval(f"SHOW {name}") == value
    await connection.close()


async def test_a_role_that_the_owner_may_not_alter_keeps_its_settings(
    owner: Database, migrated_postgres_url: str, admin_url: str, role: str
) -> None:
    execute(admin_url, f"CREATE ROLE {role} LOGIN")
    await prepare_service_role(owner, ServiceRole(role))
    connection = await asyncpg.connect(as_role(migrated_postgres_url, role))
    may_alter = connection.get_server_version().major < 16  # there CREATEROLE is a right on every role
    found = await connection.fetchval("SHOW statement_timeout")
    await connection.close()
    assert found == ("3s" if may_alter else "0")


async def test_a_role_that_bypasses_row_level_security_is_refused_and_left_unchanged(
    owner: Database, admin_url: str, role: str
) -> None:
    execute(admin_url, f"CREATE ROLE {role} BYPASSRLS")
    with pytest.raises(UnsuitableRole, match="BYPASSRLS"):
        await prepare_service_role(owner, ServiceRole(role, PASSWORD))
    assert await rights(admin_url, role) == {}


async def test_the_owner_and_roles_that_can_act_as_the_owner_are_refused(
    owner: Database, admin_url: str, role: str
) -> None:
    execute(admin_url, f"CREATE ROLE {role}", f"GRANT {OWNER} TO {role}")
    for unsuitable in (OWNER, role):
        with pytest.raises(UnsuitableRole, match="the tables' owner"):
            await prepare_service_role(owner, ServiceRole(unsuitable))


async def test_the_role_logs_in_with_its_newest_password(own_postgres: PostgresServer) -> None:
    database = connect(as_role(own_postgres.url, OWNER))
    await migrate(database)
    await prepare_service_role(database, ServiceRole("app"))
    await prepare_service_role(database, ServiceRole("app", "the old one"))
    await prepare_service_role(database, ServiceRole("app", PASSWORD))
    await database.dispose()
    own_postgres.stop()
    (own_postgres.data / "pg_hba.conf").write_text("host all app 127.0.0.1/32 scram-sha-256\n")
    own_postgres.start()

    opened = await asyncpg.connect(own_postgres.url, user="app", password=PASSWORD)
    assert await opened.fetchval("SELECT current_user") == "app"
    await opened.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(own_postgres.url, user="app", password="the old one")
    assert PASSWORD not in own_postgres.log.read_text()


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(ServiceRole("app", "secret"))


@DIRECT
async def test_sqlite_has_no_roles(database: Database) -> None:
    if database.dialect == "sqlite":
        await prepare_service_role(database, ServiceRole("app", PASSWORD))
        assert await row_security_problem(database) is None


class TestCheck:
    async def test_a_role_under_row_level_security_is_ok(self, database: Database) -> None:
        assert await row_security_problem(database) is None
        assert await RowSecurityReadiness(database, allows_bypass=False).problem() is None

    async def test_a_superuser_is_reported_and_may_be_allowed(self, admin_url: str) -> None:
        database = connect(admin_url)
        assert await RowSecurityReadiness(database, allows_bypass=False).problem() == BYPASSES
        assert await RowSecurityReadiness(database, allows_bypass=True).problem() is None
        await database.dispose()

    async def test_a_role_with_bypassrls_is_reported(self, owner: Database, admin_url: str, role: str) -> None:
        await prepare_service_role(owner, ServiceRole(role))
        execute(admin_url, f"ALTER ROLE {role} BYPASSRLS")
        database = connect(as_role(admin_url, role))
        assert await row_security_problem(database) == BYPASSES
        await database.dispose()

    @pytest.mark.parametrize(
        ("change", "role"),
        [
            ("ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY", OWNER),
            ("ALTER TABLE task_lists DISABLE ROW LEVEL SECURITY", OWNER),
            ("ALTER TABLE tasks DISABLE ROW LEVEL SECURITY", SERVICE),
        ],
    )
    async def test_a_table_without_row_level_security_is_reported_even_if_a_bypass_is_allowed(
        self, change: str, role: str, migrated_postgres_url: str
    ) -> None:
        execute(migrated_postgres_url, change)
        database = connect(as_role(migrated_postgres_url, role))
        assert await RowSecurityReadiness(database, allows_bypass=True).problem() == UNGUARDED
        await database.dispose()

    async def test_a_database_that_does_not_respond_is_left_to_the_other_check(self) -> None:
        database = connect("postgresql://nobody@127.0.0.1:1/none")
        assert await RowSecurityReadiness(database, allows_bypass=False).problem() is None
        await database.dispose()
