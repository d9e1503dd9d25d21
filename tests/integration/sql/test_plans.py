"""A page costs the same at any position in a list: checked in the databases' query plans."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Executable, text

from adapters.sql import write_statements
from adapters.sql.compiled_statements import ASYNCPG, compile_statement
from adapters.sql.database import Database
from adapters.sql.idempotency import new_task_once
from adapters.sql.page_statements import page_of, page_parameters
from adapters.sql.statements import PLANNER, live_task
from adapters.sql.sync_statements import changes_parameters, changes_since
from domain.changes import ChangesQuery, SyncToken
from domain.identity import UserId
from domain.task import Revision, Revisions, TaskId
from domain.task_list import Order, PageKey, TaskQuery
from tests.support.pgbouncer import DIRECT
from tests.support.postgres import SERVICE, as_role

ALICE = UserId("alice")
TASKS = 100_000
LIMIT = 50

_FILL = {
    "postgresql": """
        INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
        SELECT owner, lpad(to_hex(n), 32, '0')::uuid, 'task ' || n, NULL, n % 2 = 0,
               to_timestamp(n), to_timestamp(n), n, 'task ' || n
        FROM generate_series(1, :tasks) n, (VALUES ('alice'), ('bob')) AS owners (owner)
    """,
    "sqlite": """
        WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < :tasks)
        INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
        SELECT owner, printf('%032x', n), 'task ' || n, NULL, n % 2 = 0,
               datetime(n, 'unixepoch') || '.000000', datetime(n, 'unixepoch') || '.000000', n, 'task ' || n
        FROM counted, (SELECT 'alice' AS owner UNION ALL SELECT 'bob')
    """,
}


@pytest.fixture
async def filled(database: Database, admin_database: Database) -> Database:
    """Two users with a long list each."""
    async with admin_database.writes.begin() as connection:
        await connection.execute(text(_FILL[database.dialect]), {"tasks": TASKS})
    async with admin_database.reads.connect() as connection:
        await connection.execute(text("ANALYZE"))
    return database


def compiled(
    database: Database, wanted: TaskQuery, known: Revisions | None, *, is_bounded: bool
) -> tuple[str, list[Any]]:
    """The statement of a page and its arguments, as the driver takes them."""
    found = page_of(database.dialect, wanted, known, is_bounded=is_bounded).compile(dialect=database.reads.dialect)
    parameters = found.construct_params({"owner": ALICE, **page_parameters(wanted, known)})
    return str(found), [parameters[name] for name in found.positiontup or []]


def literal(value: Any) -> str:
    if isinstance(value, list):
        value = "{" + ", ".join(map(str, value)) + "}"
    return str(value) if isinstance(value, int) else "'{}'".format(str(value).replace("'", "''"))


def query(order: Order, *, deep: bool, **filters: Any) -> TaskQuery:
    at = 10 if order.descending else TASKS - 60
    place = PageKey(datetime.fromtimestamp(at, UTC), TaskId(UUID(int=at)), Revision(at))
    shallow = 3 if not order.descending else TASKS - 3
    first = PageKey(datetime.fromtimestamp(shallow, UTC), TaskId(UUID(int=shallow)), Revision(shallow))
    return TaskQuery(order=order, limit=LIMIT if not order.descending else 5, after=place if deep else first, **filters)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def shape(
    database: Database, wanted: TaskQuery, known: Revisions | None = None, *, is_bounded: bool = False
) -> list[str]:
    """The steps of the query plan of a page."""
    if database.dialect == "postgresql":
        custom, generic = [
            await postgresql_shape(database, wanted, mode, known, is_bounded=is_bounded)
            for mode in ("custom", "generic")
        ]
        assert custom == generic
        return custom
    statement, arguments = compiled(database, wanted, known, is_bounded=is_bounded)
    async with database.reads.connect() as connection:
        asked = [str(value) if isinstance(value, datetime) else value for value in arguments]
        asked = [value.hex if isinstance(value, UUID) else value for value in asked]
        asked = [json.dumps(value) if isinstance(value, list) else value for value in asked]
        steps = [
            row.detail for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(asked))
        ]
    assert not any(step.startswith("SCAN tasks") for step in steps), steps
    assert is_bounded or not any("TEMP B-TREE" in step for step in steps), steps
    return steps


async def postgresql_shape(
    database: Database, wanted: TaskQuery, mode: str, known: Revisions | None, *, is_bounded: bool
) -> list[str]:
    """The same on PostgreSQL: planned for these arguments, or once for all."""
    statement, arguments = compiled(database, wanted, known, is_bounded=is_bounded)
    async with database.reads.connect() as connection:
        await connection.exec_driver_sql(f"SET plan_cache_mode = force_{mode}_plan")
        await connection.exec_driver_sql(f"PREPARE page AS {statement}")
        given = ", ".join(literal(value) for value in arguments)
        asked = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page ({given})")
        plan = asked.scalar_one()
        await connection.exec_driver_sql("DEALLOCATE page")
    plan = json.loads(plan) if isinstance(plan, str) else plan
    found = list(nodes(plan[0]["Plan"]))
    for node in found:
        assert node["Node Type"] not in {"Sort", "Incremental Sort", "Bitmap Heap Scan"}, plan
        if node.get("Relation Name") == "tasks":
            assert "Index" in node["Node Type"], plan
            assert "owner_id" in node["Index Cond"]
            most = wanted.limit + 1 if known is None or Revision(0) not in known else 0
            assert node["Actual Loops"] * node["Actual Rows"] <= most, "no more rows are read than are shown"
            assert not node.get("Rows Removed by Filter"), plan
    return [f"{node['Node Type']} {node.get('Index Name', '')}" for node in found]


@DIRECT
async def test_changes_are_ranges_of_an_index_and_nothing_new_reads_no_task(filled: Database) -> None:
    for since, most in (
        (None, LIMIT + 1),
        (SyncToken(Revision(TASKS // 2)), LIMIT + 1),
        (SyncToken(Revision(TASKS)), 0),
    ):
        statement = changes_since(filled.dialect).compile(dialect=filled.reads.dialect)
        parameters = {"owner": ALICE, **changes_parameters(ChangesQuery(since, LIMIT))}
        arguments = [{**statement.params, **parameters}[name] for name in statement.positiontup or []]
        async with filled.reads.connect() as connection:
            if filled.dialect == "sqlite":
                asked = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(arguments))
                steps = [row.detail for row in asked]
                for index in ("tasks_by_revision", "tombstones_by_revision"):
                    assert any(f"{index} (owner_id=? AND revision>?)" in step for step in steps), steps
                continue
            for mode in ("custom", "generic"):
                await connection.exec_driver_sql(f"SET plan_cache_mode = force_{mode}_plan")
                await connection.exec_driver_sql(f"PREPARE changes AS {statement}")
                given = ", ".join(literal(value) for value in arguments)
                asked = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE changes ({given})")
                plan = asked.scalar_one()
                await connection.exec_driver_sql("DEALLOCATE changes")
                plan = json.loads(plan) if isinstance(plan, str) else plan
                scans = [node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") == "tasks"]
                assert {node["Index Name"] for node in scans} == {"tasks_by_revision", "tombstones_by_revision"}
                for node in scans:
                    assert all(column in node["Index Cond"] for column in ("owner_id", "revision")), plan
                    assert node["Actual Loops"] * node["Actual Rows"] <= most


@DIRECT
async def test_each_page_of_a_long_list_is_a_range_of_an_index_at_any_position(filled: Database) -> None:
    for order in Order:
        first, deepest = await shape(filled, query(order, deep=False)), await shape(filled, query(order, deep=True))
        assert first == deepest
        assert any(("tasks_by_revision" if order.by_update else "tasks") in step for step in first)
        assert await shape(filled, TaskQuery(order=order, limit=LIMIT))
        assert await shape(filled, query(order, deep=True), is_bounded=True)
        news, known = (Revisions(frozenset({Revision(revision)})) for revision in (5, 0))
        assert await shape(filled, query(order, deep=True), news)
        assert await shape(filled, query(order, deep=True), known)
    first, deepest = [
        await shape(filled, query(Order.UPDATED_LAST_FIRST, deep=deep, deleted=True)) for deep in (False, True)
    ]
    assert first == deepest
    assert any("tombstones_by_revision" in step for step in first)
    for completed in (True, False):  # the done and the open tasks are ranges of their own
        steps = await shape(filled, query(Order.CREATED, deep=True, completed=completed))
        assert any("tasks_by_completion" in step for step in steps)


FIRST = PageKey(datetime.fromtimestamp(0, UTC), TaskId(UUID(int=0)), Revision(0))
PAGES = [
    page_of(
        "postgresql", TaskQuery(order=order, completed=completed, text=text, after=after), known, is_bounded=bounded
    )
    for order, completed, text, after, known, bounded in product(
        Order, (None, True, False), ("", "word"), (None, FIRST), (None, Revisions(frozenset())), (False, True)
    )
]
STATEMENTS: list[Executable] = [
    live_task("postgresql"),
    changes_since("postgresql"),
    new_task_once(),
    write_statements.new_task(),
    write_statements.next_revision("postgresql"),
    write_statements.next_revision("postgresql", grows=True),
    write_statements.next_revision_and_task(),
    write_statements.purge("postgresql"),
    write_statements.purged_at("postgresql"),
    write_statements.TASK,
    write_statements.UPDATE_TASK,
    write_statements.ERASE_KEYS,
    write_statements.ERASE_TASKS,
    *PAGES,
]
_FILL_LISTS = """
    INSERT INTO tasks (owner_id, id, title, completed, created_at, updated_at, revision, search_text)
    SELECT $1::text || owner, md5($1::text || owner || '-' || n)::uuid, 'task', n % 2 = 0, now(), now(), n, 'task'
    FROM generate_series(1, $2::int) owner, generate_series(1, $3::int) n
"""


@pytest.mark.parametrize("is_analysed", [False, True])
@pytest.mark.parametrize(
    "lists",
    [[], [(3, 4)], [(2000, 20)], [(1, 20_000)], [(1000, 20), (1, 50_000)]],
    ids=["empty", "tiny", "many small", "one large", "both"],
)
async def test_a_plan_for_all_parameters_reads_ranges_of_indexes_whatever_the_tables_held_when_it_was_made(
    migrated_postgres_url: str, postgres_server: str, lists: list[tuple[int, int]], *, is_analysed: bool
) -> None:
    admin = await asyncpg.connect(
        urlsplit(postgres_server)._replace(path=urlsplit(migrated_postgres_url).path).geturl()
    )
    for count, size in lists:
        name = f"{count}-"
        await admin.execute(_FILL_LISTS, name, count, size)
        await admin.execute(
            "INSERT INTO task_lists SELECT $1::text || n, $3 FROM generate_series(1, $2::int) n", name, count, size
        )
    if is_analysed:
        await admin.execute("VACUUM ANALYZE")
    await admin.close()
    connection = await asyncpg.connect(as_role(migrated_postgres_url, SERVICE), server_settings=PLANNER)
    for statement in STATEMENTS:
        plan = await generic_plan(connection, statement)
        for node in nodes(plan):
            kind = node["Node Type"]
            if "Scan" in kind and "Relation Name" in node:
                assert kind in {"Index Scan", "Index Only Scan"}, (str(statement), plan)
                assert "owner_id" in node["Index Cond"], (str(statement), plan)
            assert "Join" not in kind, (str(statement), plan)
            # Changes are tasks and tombstones, a page of each: to put them in order is a sort.
            assert "Sort" not in kind or statement is changes_since("postgresql"), (str(statement), plan)
    await connection.close()


async def generic_plan(connection: "asyncpg.Connection", statement: Executable) -> dict[str, Any]:
    """The plan that is made once for all parameters; EXPLAIN (GENERIC_PLAN) is newer than PostgreSQL 15."""
    await connection.execute(f"PREPARE asked AS {compile_statement(statement, ASYNCPG).sql}")
    count = await connection.fetchval(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'asked'"
    )
    given = ", ".join(["NULL"] * count)
    found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({given})")
    await connection.execute("DEALLOCATE asked")
    plan: dict[str, Any] = json.loads(found)[0]["Plan"]
    return plan
