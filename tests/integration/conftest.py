from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from adapters.sql.database import Database, connect
from adapters.sql.migrate import migrate


@pytest.fixture(params=["postgresql", "sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, one after the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tasks.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same with the tables in it."""
    opened = connect(database_url)
    await migrate(opened)
    yield opened
    await opened.dispose()


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """The SQL that goes to the database, in order."""
    sent: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    # Engines that share a pool share their events, too.
    engines = {engine.pool: engine.sync_engine for engine in (database.reads, database.writes)}.values()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield sent
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
