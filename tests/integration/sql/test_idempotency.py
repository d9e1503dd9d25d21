from datetime import timedelta

import pytest
from attrs import evolve
from sqlalchemy import func, select

from adapters.sql.database import Database
from adapters.sql.retention import SqlIdempotencyKeys
from adapters.sql.tables import idempotency_keys
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from tests.contracts.idempotency import KEY, IdempotencyContract, once
from tests.contracts.task_lists import ALICE, BOB, START, new


@pytest.fixture
def sql_lists(database: Database) -> TaskLists:
    return SqlTaskLists(database)


class TestSqlIdempotency(IdempotencyContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def lists(self, sql_lists: TaskLists) -> TaskLists:
        return sql_lists

    @pytest.fixture
    def bounded(self, database: Database) -> TaskLists:
        return SqlTaskLists(database, 1)


async def count(database: Database) -> int:
    async with database.reads.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(idempotency_keys))).scalar_one())


async def test_old_keys_of_all_owners_are_purged(
    sql_lists: TaskLists, database: Database, admin_database: Database
) -> None:
    for owner in (ALICE, BOB):
        for number in range(3):
            await once(sql_lists, new(owner=owner), evolve(KEY, text=f"k-{number}"))
    await once(sql_lists, new(after=60), evolve(KEY, text="recent"))
    purge = SqlIdempotencyKeys(database, batch=2, owners_batch=1).purge_before
    assert await purge(START) == 0
    assert await purge(START + timedelta(seconds=60)) == 6
    assert await count(admin_database) == 1


async def test_a_purged_account_keeps_no_key(
    sql_lists: TaskLists, database: Database, admin_database: Database
) -> None:
    for number in range(5):
        await once(sql_lists, new(), evolve(KEY, text=f"k-{number}"))
    await once(sql_lists, new(owner=BOB))
    await SqlTaskLists(database, erase_batch=2).erase(ALICE, START)
    assert await count(admin_database) == 1
