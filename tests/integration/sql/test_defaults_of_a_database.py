"""A database or a role may have other defaults than PostgreSQL's: none of them changes what the service does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from adapters.sql.admin import UnsuitableDatabase, migrate
from adapters.sql.database import WRITERS, Database, connect
from adapters.sql.diagnostics import check_database
from adapters.sql.readiness import DatabaseReadiness
from adapters.sql.task_lists import SqlTaskLists
from application.health import Status
from domain.task_list import TaskQuery
from tests.contracts.task_lists import START, add, get, new, page, save
from tests.support.postgres import OWNER, as_role, execute
from tests.support.service import evo_todo

DEFAULTS = [
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    "DateStyle = 'German'",
    "TimeZone = 'Asia/Kathmandu'",
    "bytea_output = 'escape'",
    "default_transaction_deferrable = on",
]


@pytest.fixture(params=DEFAULTS, ids=lambda default: default.replace(" ", ""))
async def with_default(request: pytest.FixtureRequest, migrated_postgres_url: str) -> AsyncIterator[Database]:
    name = urlsplit(migrated_postgres_url).path.removeprefix("/")
    execute(migrated_postgres_url, f"ALTER DATABASE {name} SET {request.param}")
    opened = connect(migrated_postgres_url)
    yield opened
    await opened.dispose()


async def test_writers_of_one_list_wait_for_each_other_and_none_fails(with_default: Database) -> None:
    lists = SqlTaskLists(with_default)
    tasks = [new(f"Task {number}") for number in range(4 * WRITERS)]
    added = await asyncio.gather(*(add(lists, task) for task in tasks))

    assert {task.revision for task in added} == set(range(1, len(tasks) + 1))
    assert [await get(lists, task.id) for task in added] == added
    await asyncio.gather(*(save(lists, task.toggled(at=START)) for task in added))
    assert (await page(lists, TaskQuery(completed=True))).tasks[0].completed


@pytest.fixture
def latin1_url(postgres_server: str) -> Iterator[str]:
    """An empty database that can hold Latin letters only."""
    name = f"evo_todo_{uuid4().hex}"
    execute(
        postgres_server,
        f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    yield as_role(urlsplit(postgres_server)._replace(path=f"/{name}").geturl(), OWNER)
    execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_database_that_cannot_hold_every_text_is_refused(latin1_url: str, tmp_path: Path) -> None:
    database = connect(latin1_url)
    try:
        with pytest.raises(UnsuitableDatabase, match="LATIN1"):
            await migrate(database)
        problem = str(await DatabaseReadiness(database).problem())
    finally:
        await database.dispose()
    assert "LATIN1" in problem
    assert "createdb --encoding=UTF8" in problem

    checked, *_ = await check_database(latin1_url)
    assert checked.status is Status.FAILED
    assert "LATIN1" in checked.detail
    assert "createdb --encoding=UTF8" in str(checked.advice)

    refused = await asyncio.to_thread(evo_todo, "migrate", folder=tmp_path, settings={"DATABASE_URL": latin1_url})
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert "LATIN1" in line
