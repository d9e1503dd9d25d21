import asyncio

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from adapters.sql.admin import alembic_config, migrate
from adapters.sql.database import Database, connect
from adapters.sql.readiness import DatabaseReadiness
from adapters.sql.tables import metadata
from adapters.sql.task_lists import SqlTaskLists
from tests.contracts.task_lists import add, get, new
from tests.support.pgbouncer import DIRECT


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def indexes(connection: Connection) -> set[str]:
    return {str(index["name"]) for index in inspect(connection).get_indexes("tasks")}


async def test_the_migrations_create_the_tables_of_the_code(database: Database) -> None:
    async with database.writes.begin() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(tables) == set(metadata.tables)
        assert await connection.run_sync(indexes) == {
            "tasks_by_revision",
            "tasks_by_completion",
            "tombstones_by_revision",
        }


@DIRECT
async def test_the_migrations_can_be_reverted_and_repeated(admin_database: Database) -> None:
    async with admin_database.writes.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
        assert await connection.run_sync(tables) == set()
    await migrate(admin_database)
    async with admin_database.writes.begin() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_keeps_every_task(database: Database) -> None:
    lists = SqlTaskLists(database)
    task = await add(lists, new())
    await migrate(database)
    assert await get(lists, task.id) == task


async def test_concurrent_first_migrations_wait_for_each_other(database_url: str) -> None:
    databases = [connect(database_url) for _ in range(4)]
    try:
        await asyncio.gather(*(migrate(database) for database in databases))
        assert await DatabaseReadiness(databases[0]).problem() is None
    finally:
        for database in databases:
            await database.dispose()
