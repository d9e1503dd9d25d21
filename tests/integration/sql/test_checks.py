"""The tables refuse what the domain would refuse, on both databases, whoever writes it."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from adapters.sql.database import Database
from adapters.sql.sqlstates import sqlstate_of
from adapters.sql.task_lists import SqlTaskLists
from tests.contracts.task_lists import BOB, add, new, save
from tests.support.pgbouncer import DIRECT

BLANKS = [chr(code) for code in range(0x3001) if chr(code).isspace()]

TASKS: list[tuple[str, Any]] = [
    ("owner_id", ""),
    ("owner_id", "x" * 256),
    ("title", ""),
    ("title", None),
    ("title", "x" * 256),
    ("title", " Buy milk"),
    ("title", "Buy milk\n"),
    *(("title", blank) for blank in BLANKS),
    *(("title", f"Buy milk{blank}") for blank in BLANKS),
    ("description", "x" * 2001),
    ("revision", 0),
    ("revision", -1),
    ("revision", None),
    ("created_at", None),
    ("updated_at", None),
]
ONLY_SQLITE: list[tuple[str, Any]] = [
    ("id", "x" * 32),
    ("id", "0" * 31),
    ("id", "A" * 32),
    ("completed", 2),
    ("title", "Buy\0milk"),
    ("description", "\0"),
]
LISTS: list[tuple[str, Any]] = [
    ("owner_id", ""),
    ("owner_id", "x" * 256),
    ("revision", -1),
    ("revision", None),
    ("size", -1),
    ("horizon", -1),
    ("horizon", 10),
]


@pytest.fixture
async def filled(database: Database) -> Database:
    lists = SqlTaskLists(database)
    task = await add(lists, new(description="x"))
    await save(lists, (await add(lists, new())).deleted(at=task.created_at))
    await add(lists, new(owner=BOB))
    return database


@DIRECT
@pytest.mark.usefixtures("filled")
async def test_each_value_that_breaks_a_rule_is_refused(admin_database: Database) -> None:
    cases = [("tasks", *case) for case in TASKS] + [("task_lists", *case) for case in LISTS]
    if admin_database.dialect == "sqlite":
        cases += [("tasks", *case) for case in ONLY_SQLITE]
    for table, column, value in cases:
        with pytest.raises(DBAPIError) as refused:
            async with admin_database.writes.begin() as connection:
                await connection.execute(
                    text(f"UPDATE {table} SET {column} = :value WHERE owner_id = 'bob'"), {"value": value}
                )
            pytest.fail(f"{table}.{column} takes {value!r}")
        is_too_long = sqlstate_of(refused.value) == "22001"
        assert isinstance(refused.value, IntegrityError) or is_too_long, refused.value


@DIRECT
@pytest.mark.usefixtures("filled")
async def test_what_is_just_within_the_rules_is_taken(admin_database: Database) -> None:
    for column, value in (
        ("owner_id", "\U0001f600" * 255),
        ("title", "\U0001f600" * 255),
        ("title", "a \t\xa0b"),
        ("description", "\U0001f600" * 2000),
        ("description", None),
        ("revision", 2**63 - 1),
    ):
        async with admin_database.writes.begin() as connection:
            changed = await connection.execute(
                text(f"UPDATE tasks SET {column} = :value WHERE owner_id != 'alice'"), {"value": value}
            )
            assert changed.rowcount == 1
