"""Row-level security: PostgreSQL shows each user only their own rows, whatever a statement selects."""

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from attrs import evolve

from adapters.sql.database import Database, connect
from adapters.sql.page_statements import page_of
from adapters.sql.statements import live_task
from adapters.sql.tables import metadata
from adapters.sql.task_lists import SqlTaskLists
from adapters.sql.write_statements import INSERT_TASK, next_revision, task_params
from domain.errors import StorageUnavailable, TaskNotFound
from domain.identity import UserId
from domain.task import ANY_REVISION, Task
from domain.task_list import Order, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, START, add, edit, erase, get, new, page, restore, revision, save
from tests.support.isolation import remove_owner_filter
from tests.support.postgres import OWNER, SERVICE, as_role

INSERT_HIS = (
    "INSERT INTO tasks (owner_id, id, title, completed, created_at, updated_at, revision, search_text)"
    " VALUES ('bob', gen_random_uuid(), 'x', false, now(), now(), 1, 'x')"
)
GATE = re.compile(r"One-Time Filter: \((me\.id|\$\d+) = \(\$1\)::")
"""What set_user has returned is compared with the statement's parameter, the one with a cast.

Before version 17, EXPLAIN writes what an outer query hands to a subquery as `$` and a number of its own.
"""


@pytest.fixture(params=[SERVICE, OWNER])
def url(request: pytest.FixtureRequest, migrated_postgres_url: str) -> str:
    """For the service's role, and for the role that owns the tables."""
    return as_role(migrated_postgres_url, request.param)


@pytest.fixture(params=[True, False], ids=["shared connections", "no shared connections"])
async def guarded(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Database]:
    database = connect(url, is_pipelined=request.param)
    if database.pipelined_executor is not None:
        await database.pipelined_executor.opened()
    yield database
    await database.dispose()


@pytest.fixture
async def raw(url: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
def unfiltered(guarded: Database) -> list[str]:
    """Remove the owner filter from every statement before it is sent; returns the statements that had one."""
    return remove_owner_filter(guarded)


@pytest.fixture
async def theirs(guarded: Database) -> tuple[Task, Task]:
    """A task of Alice's, and one of Bob's with the same id, in a list with a higher revision."""
    lists = SqlTaskLists(guarded)
    for number in range(3):
        await add(lists, new(f"{number}", owner=BOB))
    hers = await add(lists, new("hers"))
    return hers, await add(lists, evolve(hers, owner=BOB, title="his"))


class TestWithoutTheOwnerFilter:
    async def test_reads_still_see_nothing_of_others(
        self, guarded: Database, theirs: tuple[Task, Task], unfiltered: list[str]
    ) -> None:
        (hers, his), lists = theirs, SqlTaskLists(guarded)
        assert (await get(lists, hers.id), await get(lists, his.id, BOB)) == (hers, his)
        assert (await revision(lists), await revision(lists, BOB)) == (1, 4)
        for order in Order:
            found = await page(lists, TaskQuery(order=order, text="h", completed=False))
            assert (found.tasks, found.revision) == ((hers,), 1)
        carol = await page(lists, TaskQuery(), UserId("carol"))
        assert (carol.tasks, carol.revision) == ((), 0)
        assert len(unfiltered) == 2 + 2 + 4 + 1

    async def test_writes_still_touch_nothing_of_others(
        self, guarded: Database, theirs: tuple[Task, Task], unfiltered: list[str]
    ) -> None:
        (hers, his), lists = theirs, SqlTaskLists(guarded)
        before = await page(lists, TaskQuery(), BOB)
        unfiltered.clear()
        changed = await save(lists, hers.toggled(at=START))
        await save(lists, changed.deleted(at=START))
        assert (await restore(lists, hers.id)).title == "hers"
        async with edit(lists) as tasks:
            assert (await tasks.get(hers.id)).owner == ALICE
        await erase(lists)
        assert len(unfiltered) == 2 + 2 + 1 + 1
        assert (await page(lists, TaskQuery())).tasks == ()
        assert await page(lists, TaskQuery(), BOB) == before
        assert his in before.tasks

    async def test_ids_of_others_are_no_tasks(self, guarded: Database, unfiltered: list[str]) -> None:
        lists = SqlTaskLists(guarded)
        his = await add(lists, new(owner=BOB))
        with pytest.raises(TaskNotFound):
            await get(lists, his.id)
        with pytest.raises(TaskNotFound):
            async with edit(lists) as tasks:
                await tasks.get_including_deleted(his.id)
        assert len(unfiltered) == 2


class TestPolicies:
    """What the policies do with statements written by hand."""

    @pytest.mark.usefixtures("theirs")
    async def test_without_a_user_no_row_is_seen_or_changed(self, raw: "asyncpg.Connection") -> None:
        for table in ("tasks", "task_lists"):
            assert await raw.fetch(f"SELECT * FROM {table}") == []
        assert await raw.execute("UPDATE task_lists SET revision = 0") == "UPDATE 0"
        assert await raw.execute("DELETE FROM tasks") == "DELETE 0"
        async with raw.transaction():
            await raw.execute("SELECT set_user('')")
            assert await raw.fetch("SELECT * FROM tasks") == []

    @pytest.mark.usefixtures("theirs")
    async def test_another_users_ids_find_and_change_nothing(self, raw: "asyncpg.Connection") -> None:
        async with raw.transaction():
            await raw.execute("SELECT set_user('alice')")
            assert [row["title"] for row in await raw.fetch("SELECT * FROM tasks")] == ["hers"]
            assert await raw.fetch("SELECT * FROM tasks WHERE owner_id = 'bob'") == []
            assert await raw.fetch("SELECT * FROM task_lists WHERE owner_id = 'bob' FOR UPDATE") == []
            assert await raw.execute("UPDATE tasks SET title = 'x' WHERE owner_id = 'bob'") == "UPDATE 0"
            assert await raw.execute("UPDATE task_lists SET revision = 0 WHERE owner_id = 'bob'") == "UPDATE 0"
            assert await raw.execute("DELETE FROM tasks WHERE owner_id = 'bob'") == "DELETE 0"

    @pytest.mark.usefixtures("theirs")
    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO task_lists VALUES ('carol', 1)",
            "INSERT INTO task_lists VALUES ('bob', 9) ON CONFLICT (owner_id) DO UPDATE SET revision = 9",
            "UPDATE tasks SET owner_id = 'bob'",
            "UPDATE task_lists SET owner_id = 'carol'",
            INSERT_HIS,
        ],
    )
    async def test_writing_rows_of_another_user_is_rejected(self, statement: str, raw: "asyncpg.Connection") -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with raw.transaction():
                await raw.execute("SELECT set_user('alice')")
                await raw.execute(statement)

    async def test_the_user_is_unset_when_the_transaction_ends(self, raw: "asyncpg.Connection") -> None:
        assert await raw.fetchval("SELECT set_user('alice')") == "alice"
        assert not await raw.fetchval("SELECT current_setting('app.user_id', true)")
        async with raw.transaction():
            await raw.execute("SELECT set_user('alice')")
            assert await raw.fetchval("SELECT current_setting('app.user_id', true)") == "alice"
        assert not await raw.fetchval("SELECT current_setting('app.user_id', true)")

    async def test_the_planner_can_not_filter_rows_before_the_user_is_set(self, guarded: Database) -> None:
        dialect = guarded.reads.dialect
        asked = (
            (page_of("postgresql", TaskQuery(), None), "'alice', 21"),
            (page_of("postgresql", TaskQuery(), ANY_REVISION), "'alice', NULL, 21"),
            (live_task("postgresql"), "'alice', '00000000-0000-0000-0000-000000000000'"),
        )
        for statement, arguments in asked:
            async with guarded.reads.connect() as connection:
                await connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
                await connection.exec_driver_sql(f"PREPARE asked AS {statement.compile(dialect=dialect)}")
                steps = (await connection.exec_driver_sql(f"EXPLAIN EXECUTE asked ({arguments})")).scalars().all()
                await connection.exec_driver_sql("DEALLOCATE asked")
            filters = [place for place, step in enumerate(steps) if "current_setting" in step]
            assert filters, steps
            for place in filters:
                # Either decided by the result of set_user, or of rows that were found by it.
                is_decided = steps[place].split()[:2] == ["One-Time", "Filter:"] and "me.id" in steps[place]
                gate, _, found_by = steps[place - 3 : place]
                is_of_found = "app.purging" in steps[place] and "Index Cond: (owner_id = " in found_by
                assert is_decided or (is_of_found and GATE.search(gate)), "\n".join(steps)

    async def test_a_rejection_by_a_policy_is_unavailability(self, guarded: Database) -> None:
        lists = SqlTaskLists(guarded)
        with pytest.raises(StorageUnavailable):
            async with guarded.executor.transaction() as transaction:
                await transaction.run(next_revision("postgresql"), {"owner": ALICE, "issued_at": START, "at": START})
                await transaction.run(INSERT_TASK, task_params(new(owner=BOB)))
        assert await revision(lists) == 0

    @pytest.mark.parametrize("name", ["o'neil", "\\'; RESET ROLE; --", '%L "$1" $$', "\u00fc\U0001f600", "x" * 255])
    async def test_a_users_id_is_taken_to_the_letter(self, name: str, guarded: Database) -> None:
        owner, lists = UserId(name), SqlTaskLists(guarded)
        task = await add(lists, new(owner=owner))
        await save(lists, task.toggled(at=START))
        assert (await get(lists, task.id, owner)).completed
        with pytest.raises(TaskNotFound):
            await get(lists, task.id)


async def test_every_table_with_an_owner_id_forces_row_level_security(admin_database: Database) -> None:
    if admin_database.dialect == "sqlite":
        return
    owners = {name for name, table in metadata.tables.items() if "owner_id" in table.c}
    async with admin_database.reads.connect() as connection:
        asked = await connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
        )
        assert set(asked.scalars()) == owners
