"""A database with tasks of an earlier version is migrated, and back, without the loss of any."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.admin import alembic_config, grant_to, migrate
from adapters.sql.database import Database, connect
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import ListFull
from domain.identity import UserId
from domain.task_list import Order, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, START, add, get, new, page, restore, revision, save
from tests.support.postgres import SERVICE, as_role

CAROL = UserId("carol")
# Owner, number, revision, minutes of the last change after the start, whether it is deleted. The clock of the machine
# that made Alice's third change was late.
ROWS = [
    (ALICE, 1, 4, 9, False),
    (ALICE, 2, 2, 8, True),
    (ALICE, 3, 3, 5, False),
    (ALICE, 4, 5, 10, False),
    (ALICE, 5, 6, 7, True),
    (BOB, 1, 1, 2, False),
]
_TASK = (
    "INSERT INTO tasks (owner_id, id, title, completed, created_at, updated_at, deleted_at, revision, search_text)"
    " VALUES (:owner, :id, :title, false, :created_at, :updated_at, :deleted_at, :revision, :search_text)"
)


def instant(dialect: str, minutes: int) -> Any:
    at = START + timedelta(minutes=minutes)
    return at if dialect == "postgresql" else at.replace(tzinfo=None).isoformat(" ", "microseconds")


def number_of(task_id: UUID) -> int:
    return task_id.int


async def fill(url: str) -> None:
    """Insert rows as version 0005 had them, past the policies."""
    async with opened(url) as database, database.writes.begin() as connection:
        dialect = database.dialect
        if dialect == "postgresql":
            for table in ("tasks", "task_lists"):
                await connection.execute(text(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"))
        for owner, at in ((ALICE, 6), (BOB, 1), (CAROL, 9)):
            await connection.execute(text("INSERT INTO task_lists VALUES (:owner, :at)"), {"owner": owner, "at": at})
        for owner, number, revision_, minutes, is_deleted in ROWS:
            updated_at = instant(dialect, minutes)
            values = {
                "owner": owner,
                "id": UUID(int=number) if dialect == "postgresql" else UUID(int=number).hex,
                "title": f"{number}",
                "search_text": f"{number}",
                "created_at": instant(dialect, 0),
                "updated_at": updated_at,
                "deleted_at": updated_at if is_deleted else None,
                "revision": revision_,
            }
            await connection.execute(text(_TASK), values)
        if dialect == "postgresql":
            for table in ("tasks", "task_lists"):
                await connection.execute(text(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = connect(url)
    try:
        yield database
    finally:
        await database.dispose()


@pytest.fixture
async def filled(database_url: str) -> str:
    """A database of version 0005 with tasks, for the role that owns the tables."""
    async with opened(database_url) as database:
        await migrate(database, "0005")
    await fill(database_url)
    return database_url


def for_the_service(url: str) -> str:
    return as_role(url, SERVICE) if url.startswith("postgresql") else url


async def upgrade(url: str) -> None:
    async with opened(url) as database:
        await migrate(database)
        if database.dialect == "postgresql":
            async with database.writes.begin() as connection:
                await grant_to(connection, SERVICE)


async def test_lists_know_their_size_and_their_last_change_and_changes_are_in_order(filled: str) -> None:
    await upgrade(filled)
    async with opened(for_the_service(filled)) as database:
        lists = SqlTaskLists(database, 5)
        found = (await page(lists, TaskQuery(order=Order.UPDATED))).tasks
        assert [(number_of(task.id), task.revision) for task in found] == [(3, 3), (1, 4), (4, 5)]
        assert [(task.updated_at - START) / timedelta(minutes=1) for task in found] == [8, 9, 10]
        gone = await restore(lists, new_id(5), at=START)
        assert (gone.updated_at, gone.revision) == (START + timedelta(minutes=10), 7)
        with pytest.raises(ListFull):
            await add(lists, new())
        assert (await get(lists, new_id(1), BOB)).title == "1"
        assert await revision(lists, CAROL) == 9
        assert (await add(lists, new(owner=CAROL))).revision == 10


def new_id(number: int) -> Any:
    return UUID(int=number)


async def test_the_way_back_and_forth_again_keeps_every_task(filled: str) -> None:
    await upgrade(filled)
    async with opened(filled) as database, database.writes.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0005"))
    await upgrade(filled)
    async with opened(for_the_service(filled)) as database:
        lists = SqlTaskLists(database)
        for owner, expected in ((ALICE, {"1", "3", "4"}), (BOB, {"1"}), (CAROL, set())):
            assert {task.title for task in (await page(lists, TaskQuery(), owner)).tasks} == expected
        assert (await restore(lists, new_id(2))).title == "2"
        task = await get(lists, new_id(4))
        assert (await save(lists, task.toggled(at=START))).revision == 8


async def test_what_was_forced_is_forced_again_and_nothing_else_is(postgres_url: str) -> None:
    forced = text("SELECT relname FROM pg_class WHERE relforcerowsecurity ORDER BY relname")
    async with opened(postgres_url) as database:
        await migrate(database)
        assert list((await database.read(forced)).scalars()) == ["idempotency_keys", "task_lists", "tasks"]
        async with database.writes.begin() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0005"))
            assert list((await connection.execute(forced)).scalars()) == ["task_lists", "tasks"]
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0003"))
            await connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
            await connection.execute(text("CREATE INDEX tasks_by_deletion ON tasks (owner_id, deleted_at)"))
        await migrate(database)
        assert list((await database.read(forced)).scalars()) == []


async def test_a_migration_that_changes_rows_and_does_not_see_them_fails(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forced row-level security would hide every row, and the migration would change none."""
    database = connect(migrated_postgres_url)

    def change_rows(config: Config, _: str) -> None:
        config.attributes["connection"].execute(text("UPDATE tasks SET title = 'Other'"))

    try:
        await add(SqlTaskLists(database), new())
        monkeypatch.setattr(command, "upgrade", change_rows)
        with pytest.raises(DBAPIError, match="row-level security"):
            await migrate(database)
    finally:
        await database.dispose()


async def test_texts_are_folded_anew_and_meanwhile_every_list_is_read_and_changed(postgres_url: str) -> None:
    old, dotted = (
        connect(postgres_url),
        text("UPDATE tasks SET search_text = 'di\u0307ti\u0307' WHERE owner_id = :owner"),
    )
    await migrate(old, "0006")
    async with old.writes.begin() as connection:
        await grant_to(connection, SERVICE)
    service = connect(for_the_service(postgres_url))
    lists = SqlTaskLists(service)
    try:
        tasks = [await add(lists, new("d\u0130t\u0130", owner=owner)) for owner in (ALICE, BOB)]
        async with old.writes.begin() as connection:
            for owner in (ALICE, BOB):
                await connection.execute(select(func.set_user(owner)))
                await connection.execute(dotted, {"owner": owner})
        async with old.writes.begin() as connection:
            await connection.execute(text("SET LOCAL row_security = off"))
            await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "0007"))
            # The migration has not been committed.
            for owner in (ALICE, BOB):
                assert len((await page(lists, TaskQuery(), owner)).tasks) == 1
                await add(lists, new("another", owner=owner))
            await connection.execute(select(func.set_user(ALICE)))
            with pytest.raises(DBAPIError, match="row-level security"):
                await connection.execute(dotted, {"owner": ALICE})
            await connection.rollback()
        await migrate(old)
        for task in tasks:
            for words in ("d\u0130t\u0130", "diti"):
                assert (await page(lists, TaskQuery(text=words), task.owner)).tasks == (task,)
    finally:
        await service.dispose()
        await old.dispose()
