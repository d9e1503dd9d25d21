"""WatchChanges on PostgreSQL and on SQLite, within one process."""

from pathlib import Path
from typing import Any

import pytest

from adapters.sql.database import Database
from adapters.sql.notifications import Listener, PostgresChangeFeed, SqliteChangeFeed
from adapters.sql.retention import SqlTombstones
from adapters.sql.task_lists import SqlTaskLists
from application.change_feed import ChangeFeed
from application.ports import TaskLists
from tests.contracts.changes import Purge
from tests.contracts.watching import LossyFeed, WatchingContract


async def refuse() -> Any:
    raise ConnectionRefusedError


class TestSqlWatching(WatchingContract):
    @pytest.fixture
    def feed(self, database: Database, tmp_path: Path) -> ChangeFeed:
        if database.dialect == "postgresql":
            return PostgresChangeFeed(Listener(refuse))
        return SqliteChangeFeed(tmp_path / "tasks.db")

    @pytest.fixture
    def lists(self, database: Database, lossy: LossyFeed) -> TaskLists:
        return SqlTaskLists(database, on_change=lossy.notify)

    @pytest.fixture
    def purge(self, database: Database) -> Purge:
        return SqlTombstones(database).purge_before
