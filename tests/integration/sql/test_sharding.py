"""Sharding by owner, on its stand-in in plain PostgreSQL: the owners' tables partitioned by a hash of the owner.

A statement that needs one partition of the stand-in needs one server of a sharded PostgreSQL.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Dialect, Executable, event

from adapters.sql.compiled_statements import CompiledStatement, compile_statement
from adapters.sql.database import Database, connect
from adapters.sql.retention import SqlIdempotencyKeys, SqlTombstones
from adapters.sql.task_lists import SqlTaskLists
from application.ports import TaskLists
from domain.changes import ChangesQuery, SyncToken
from domain.task import Revision, Revisions
from domain.task_list import Order, TaskQuery
from tests.contracts.changes import ChangesContract, Purge
from tests.contracts.idempotency import IdempotencyContract, once
from tests.contracts.task_lists import ALICE, START, TaskListsContract, add, erase, get, new, restore, save
from tests.contracts.task_pages import TaskPagesContract
from tests.support.postgres import SERVICE, as_role

PARTITIONS = 4
_PARTITIONED = """
ALTER TABLE {table} RENAME TO {table}_before;
CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)
    PARTITION BY HASH (owner_id);
DROP TABLE {table}_before;
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role};
"""
_PARTITION = "CREATE TABLE {table}_{number} PARTITION OF {table} FOR VALUES WITH (MODULUS {of}, REMAINDER {number})"


@pytest.fixture
async def twin_url(migrated_postgres_url: str) -> str:
    """The stand-in, without row-level security: its policies would name the owner even where a statement does not."""
    connection = await asyncpg.connect(migrated_postgres_url)
    for table in ("task_lists", "tasks", "idempotency_keys"):
        await connection.execute(_PARTITIONED.format(table=table, role=SERVICE))
        for number in range(PARTITIONS):
            await connection.execute(_PARTITION.format(table=table, number=number, of=PARTITIONS))
    await connection.close()
    return as_role(migrated_postgres_url, SERVICE)


@pytest.fixture
async def twin(twin_url: str) -> AsyncIterator[Database]:
    """The stand-in, where changes are written in steps."""
    database = connect(twin_url, is_sharded=True)
    yield database
    await database.dispose()


class TestSharded(TaskListsContract, TaskPagesContract, ChangesContract, IdempotencyContract):
    @pytest.fixture
    def lists(self, twin: Database) -> TaskLists:
        return SqlTaskLists(twin)

    @pytest.fixture
    def bounded(self, twin: Database, request: pytest.FixtureRequest) -> TaskLists:
        is_of_keys = hasattr(IdempotencyContract, request.function.__name__)
        return SqlTaskLists(twin, 1 if is_of_keys else 3)

    @pytest.fixture
    def purge(self, twin: Database) -> Purge:
        return SqlTombstones(twin).purge_before


def statements_of(database: Database) -> dict[str, list[bool]]:
    """The statements that are sent from now on; for each of their parameters, whether it is the owner."""
    found: dict[str, list[bool]] = {}

    def compile_and_keep(statement: Executable, dialect: Dialect) -> CompiledStatement:
        compiled = compile_statement(statement, dialect)
        found[compiled.sql] = [name in {"owner", "new_owner_id"} for name in compiled._names]
        return compiled

    def keep(_: object, __: object, statement: str, parameters: tuple[object, ...], *___: object) -> None:
        found[statement] = [value == ALICE for value in parameters]

    assert database.asyncpg_executor is not None
    database.asyncpg_executor.compile = compile_and_keep
    event.listen(database.writes.sync_engine, "before_cursor_execute", keep)
    return found


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """The tables and partitions whose rows a plan reads."""
    if "Scan" in plan["Node Type"] and "Relation Name" in plan:
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from scanned(child)


async def partitions(connection: "asyncpg.Connection", sql: str, are_owner: list[bool]) -> set[str]:
    """The partitions whose rows a statement reads when it is planned once for all parameters."""
    await connection.execute(f"PREPARE asked AS {sql}")
    given = ", ".join("'alice'" if is_owner else "NULL" for is_owner in are_owner)
    found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked {f'({given})' if given else ''}")
    await connection.execute("DEALLOCATE asked")
    tables = {*scanned(json.loads(found)[0]["Plan"])}
    assert all(table[-1].isdigit() for table in tables), tables
    return {table.rpartition("_")[2] for table in tables}


async def every_call(database: Database) -> None:
    """Every call of the ports that are about one owner's list."""
    lists = SqlTaskLists(database)
    task = await add(lists, new("Buy milk"))
    for _ in range(2):
        await once(lists, new("once"))
    task = await save(lists, task.toggled(at=START))
    assert await get(lists, task.id) == task
    for order in Order:
        for text, completed in (("", None), ("milk", True)):
            for limit in (10, 1000):
                query = TaskQuery(order=order, text=text, completed=completed, limit=limit)
                await lists.open(ALICE).page(query)
                await lists.open(ALICE).page(query, known=Revisions(frozenset({Revision(0)})))
    for since in (None, SyncToken(Revision(1))):
        await lists.open(ALICE).changes(ChangesQuery(since, 10))
    await save(lists, task.deleted(at=START))
    await restore(lists, task.id)
    await SqlTombstones(database).purge_before(START + timedelta(days=1))
    await SqlIdempotencyKeys(database).purge_before(START + timedelta(days=1))
    await erase(lists)


@pytest.mark.parametrize("is_sharded", [False, True], ids=["in one statement", "in steps"])
async def test_every_statement_on_an_owners_rows_needs_one_partition(twin_url: str, *, is_sharded: bool) -> None:
    database = connect(twin_url, is_sharded=is_sharded)
    sent = statements_of(database)
    await every_call(database)
    await database.dispose()
    connection = await asyncpg.connect(twin_url, server_settings={"plan_cache_mode": "force_generic_plan"})
    read = {sql: await partitions(connection, sql, are_owner) for sql, are_owner in sent.items() if any(are_owner)}
    await connection.close()
    assert len(read) > 15
    for sql, found in read.items():
        assert len(found) <= 1, sql
        assert len(found) == 1 or sql.startswith(("INSERT", "SELECT set_user", "WITH")), sql
    raising = [sql for sql in read if "INSERT INTO task_lists" in sql]
    assert raising
    assert all(("set_user" in sql) != is_sharded for sql in raising)
