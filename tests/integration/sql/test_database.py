import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from adapters.sql.admin import migrate
from adapters.sql.database import Database, connect
from adapters.sql.pooler_check import Pooler, find_pooler
from adapters.sql.readiness import DatabaseReadiness
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import StorageUnavailable
from tests.contracts.task_lists import add, get, new
from tests.support.postgres import as_role


async def driver_threads_end() -> None:
    """Wait for aiosqlite's threads: they call their event loop when they end, which must still exist."""
    for thread in threading.enumerate():
        if "_connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 5)


async def select_42(url: str) -> int:
    database = connect(url)
    try:
        async with database.reads.connect() as connection:
            return int((await connection.execute(text("SELECT 42"))).scalar_one())
    finally:
        await database.dispose()


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url,
        lambda url: url.replace("postgresql://", "postgres://"),
        lambda url: url.replace("postgresql://", "postgresql+asyncpg://"),
        lambda url: f"{url}?sslmode=prefer&channel_binding=prefer&connect_timeout=10&keepalives=1",
    ],
)
async def test_an_address_works_as_libpq_writes_it(postgres_url: str, change: Callable[[str], str]) -> None:
    assert await select_42(change(postgres_url)) == 42


async def test_a_sqlite_file_may_lie_below_a_folder_with_a_space(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    assert await select_42(f"sqlite:///{folder / 'tasks.db'}") == 42


@pytest.mark.parametrize(("url", "why"), [("mysql://localhost/tasks", "mysql"), ("sqlite:///:memory:", "file")])
def test_another_database_is_rejected_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        connect(url)


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////nowhere/at/all/tasks.db"])
async def test_a_missing_database_is_unavailable(url: str) -> None:
    database = connect(url)
    try:
        with pytest.raises(StorageUnavailable):
            await get(SqlTaskLists(database), new().id)
        with pytest.raises(StorageUnavailable):
            await add(SqlTaskLists(database), new())
        assert "check DATABASE_URL" in str(await DatabaseReadiness(database).problem())
    finally:
        await database.dispose()
        await driver_threads_end()


async def test_an_unknown_role_is_unavailability(postgres_url: str) -> None:
    database = connect(as_role(postgres_url, "stranger"))
    try:
        with pytest.raises(StorageUnavailable):
            await get(SqlTaskLists(database), new().id)
    finally:
        await database.dispose()


async def test_missing_tables_are_unavailability_and_readiness_says_what_to_do(database_url: str) -> None:
    database = connect(database_url)
    try:
        with pytest.raises(StorageUnavailable):
            await get(SqlTaskLists(database), new().id)
        assert "evo-todo migrate" in str(await DatabaseReadiness(database).problem())
    finally:
        await database.dispose()


async def test_a_lock_timeout_of_the_database_is_unavailability(postgres_url: str) -> None:
    database = connect(f"{postgres_url}?lock_timeout=100ms")
    try:
        await migrate(database)
        lists = SqlTaskLists(database)
        await add(lists, new())
        async with database.writing() as other:
            await other.execute(text("SELECT set_user('alice')"))
            await other.execute(text("SELECT revision FROM task_lists FOR UPDATE"))
            with pytest.raises(StorageUnavailable):
                await add(lists, new())
    finally:
        await database.dispose()


async def test_a_role_without_rights_is_unavailability_and_readiness_says_what_to_do(postgres_url: str) -> None:
    owner = connect(postgres_url)
    await migrate(owner)
    async with owner.writes.begin() as connection:
        await connection.execute(text("DROP ROLE IF EXISTS evo_todo_guest"))
        await connection.execute(text("CREATE ROLE evo_todo_guest LOGIN PASSWORD 'guest'"))
    address = make_url(postgres_url).set(username="evo_todo_guest", password="guest")
    guest = connect(address.render_as_string(hide_password=False))
    try:
        with pytest.raises(StorageUnavailable):
            await get(SqlTaskLists(guest), new().id)
        assert "grant" in str(await DatabaseReadiness(guest).problem())
    finally:
        await guest.dispose()
        async with owner.writes.begin() as connection:
            await connection.execute(text("DROP ROLE evo_todo_guest"))
        await owner.dispose()


async def test_an_error_never_quotes_a_users_text(database: Database, admin_database: Database) -> None:
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE tasks RENAME TO elsewhere"))
    with pytest.raises(StorageUnavailable) as refused:
        await add(SqlTaskLists(database), new("My secret title"))
    chain: BaseException | None = refused.value
    while chain is not None:
        assert "secret" not in repr(chain) + str(chain)
        chain = chain.__cause__


async def test_tests_behind_a_pooler_are_behind_it(database: Database, request: pytest.FixtureRequest) -> None:
    expected = {
        "sqlite": None,
        "postgresql": Pooler.NONE,
        "pgbouncer": Pooler.NAMELESS,
        "pgbouncer with prepared statements": Pooler.FITTING,
    }
    found = None if database.connect is None else await find_pooler(database.connect)
    assert found is expected[request.node.callspec.params["migrated_url"]]
