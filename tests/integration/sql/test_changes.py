"""TaskList.changes on PostgreSQL and on SQLite."""

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from adapters.sql.database import Database, connect
from adapters.sql.retention import SqlTombstones
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from domain.identity import UserId
from tests.contracts.changes import SETTINGS, ChangesContract, Purge, SyncModel


@pytest.fixture
def sql_lists(database: Database) -> TaskLists:
    return SqlTaskLists(database)


class TestSqlChanges(ChangesContract):
    @pytest.fixture
    def lists(self, sql_lists: TaskLists) -> TaskLists:
        return sql_lists

    @pytest.fixture
    def purge(self, database: Database) -> Purge:
        return SqlTombstones(database).purge_before


def test_writers_and_readers_in_any_order_end_with_the_true_list(migrated_url: str) -> None:
    numbers = count()
    with asyncio.Runner() as runner:
        database = connect(migrated_url)

        class SqlSync(SyncModel):
            def __init__(self) -> None:
                super().__init__()
                self.lists, self.purge = SqlTaskLists(database), SqlTombstones(database).purge_before
                self.owner = UserId(f"user-{next(numbers)}")

            def run(self, coroutine: Coroutine[Any, Any, object]) -> object:
                return runner.run(coroutine)

        try:
            run_state_machine_as_test(SqlSync, settings=settings(SETTINGS, max_examples=8, stateful_step_count=15))
        finally:
            runner.run(database.dispose())
