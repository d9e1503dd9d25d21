import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from anyio.from_thread import start_blocking_portal
from sqlalchemy import Dialect, Executable, event

from adapters.sql.admin import grant_to, migrate
from adapters.sql.compiled_statements import CompiledStatement, compile_statement
from adapters.sql.database import Database, connect
from tests.support.pgbouncer import FIRST_THAT_PREPARES, PGBOUNCER, VERSION, pgbouncer
from tests.support.postgres import SERVICE, as_role, fresh_database

POOLERS = [
    *(["pgbouncer"] if PGBOUNCER else []),
    *(["pgbouncer with prepared statements"] if VERSION >= FIRST_THAT_PREPARES else []),
]
"""The ways in which a pooler may be in between; a way that is not installed makes no tests."""


@pytest.fixture(params=["postgresql", "sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, one after the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tasks.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """A migrated database to copy: a migration for each test takes ten times as long."""
    with fresh_database(postgres_server) as url:
        with start_blocking_portal() as portal:
            portal.call(_migrate, url)
        yield urlsplit(url).path.removeprefix("/")


async def _migrate(url: str) -> None:
    database = connect(url)
    await migrate(database)
    if database.dialect == "postgresql":
        async with database.writes.begin() as connection:
            await grant_to(connection, SERVICE)
    await database.dispose()


@pytest.fixture
def migrated_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A migrated database, for the role that owns the tables."""
    with fresh_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "tasks.db"
    with start_blocking_portal() as portal:
        portal.call(_migrate, f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def pooled_server(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of PgBouncer in front of the server."""
    with pgbouncer(postgres_server, tmp_path_factory.mktemp("pooler")) as url:
        yield url


@pytest.fixture(scope="session")
def preparing_server(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PgBouncer that keeps account of prepared statements."""
    with pgbouncer(postgres_server, tmp_path_factory.mktemp("pooler"), prepares=True) as url:
        yield url


def pooled(request: pytest.FixtureRequest, way: str, url: str) -> str:
    """A database's address behind the pooler, with the parameter that says what the pooler does not know."""
    prepares = way != "pgbouncer"
    pooler = request.getfixturevalue("preparing_server" if prepares else "pooled_server")
    netloc = f"{urlsplit(url).netloc.rpartition('@')[0]}@{urlsplit(pooler).netloc.rpartition('@')[2]}"
    query = "sslmode=disable" if prepares else "sslmode=disable&pgbouncer=true"
    return urlsplit(url)._replace(netloc=netloc, query=query).geturl()


@pytest.fixture(params=["postgresql", "sqlite", *POOLERS])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database of each kind, one after the other; on PostgreSQL for the service's role."""
    if request.param != "sqlite":
        url = as_role(request.getfixturevalue("migrated_postgres_url"), SERVICE)
        return url if request.param == "postgresql" else pooled(request, request.param, url)
    file = tmp_path / "tasks.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), file)
    return f"sqlite:///{file}"


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The same database, opened as the service does it: on PostgreSQL with its shared connections."""
    opened = connect(migrated_url, is_pipelined=True)
    if opened.pipelined_executor is not None:
        await opened.pipelined_executor.opened()
    yield opened
    await opened.dispose()


@pytest.fixture
async def admin_database(request: pytest.FixtureRequest, migrated_url: str) -> AsyncIterator[Database]:
    """The same database for an administrator, who sees all rows and may change the tables."""
    url = migrated_url
    if url.startswith("postgresql"):
        server = urlsplit(request.getfixturevalue("postgres_server"))
        url = server._replace(path=urlsplit(url).path).geturl()
    opened = connect(url)
    yield opened
    await opened.dispose()


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """The statements of requests, in the order they are sent, without BEGIN and COMMIT."""
    sent: list[str] = []

    def keep(statement: str) -> None:
        # What workers do besides requests does not count.
        if not statement.startswith("BEGIN") and "FROM revocations" not in statement:
            sent.append(statement)

    def compile_and_keep(statement: Executable, dialect: Dialect) -> CompiledStatement:
        compiled = compile_statement(statement, dialect)
        keep(compiled.sql)
        return compiled

    for compiling in (database.asyncpg_executor, database.inline_reads, database.thread_reads):
        if compiling is not None:
            compiling.compile = compile_and_keep

    def note(_: object, __: object, statement: str, *___: object) -> None:
        keep(statement)

    # Engines that share a pool share their events.
    engines = {engine.pool: engine.sync_engine for engine in (database.reads, database.writes)}.values()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield sent
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
