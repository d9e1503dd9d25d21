"""Shared connections to PostgreSQL: to each its own answer and its own transaction, whatever happens to the others."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.sql.admin import grant_to, migrate
from adapters.sql.database import Database, connect
from adapters.sql.errors import DEADLINE
from adapters.sql.pipeline import MAX_WAITING, READ_BATCH, Pipeline, PipelinedExecutor
from adapters.sql.shared_connection import HandedOver, NotHere, SharedConnection
from adapters.sql.statements import PLANNER
from adapters.sql.task_lists import BRIEF_ROWS, SqlTaskLists
from application.ports import TaskLists
from domain.errors import StorageUnavailable
from domain.task import Revision, Revisions, Task
from domain.task_list import Order, TaskQuery
from tests.contracts.task_lists import ALICE, BOB, TaskListsContract, add, edit, get, new, page, revision
from tests.contracts.task_pages import TaskPagesContract
from tests.support.certificates import self_signed
from tests.support.isolation import FAULTS, Isolation, remove_owner_filter
from tests.support.postgres import OWNER, SERVICE, PostgresServer, as_role, execute

SLEEP = "SELECT pg_sleep(60)::text"
LOCK = "SELECT pg_advisory_xact_lock(1)::text"


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[SharedConnection]:
    opened = await shared(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def pipelined(migrated_postgres_url: str) -> AsyncIterator[Database]:
    # Without TLS: a driver's connect that is cancelled while it asks for TLS leaves a future's exception to the loop.
    database = await opened(f"{as_role(migrated_postgres_url, SERVICE)}?sslmode=disable")
    yield database
    await database.dispose()


@pytest.fixture
async def admin(postgres_server: str) -> AsyncIterator["asyncpg.Connection"]:
    opened = await asyncpg.connect(postgres_server)
    yield opened
    await opened.close()


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator["asyncpg.Connection"]:
    opened = await asyncpg.connect(postgres_url)
    yield opened
    await opened.close()


async def shared(url: str) -> SharedConnection:
    def drop(connection: SharedConnection, *, is_overdue: bool) -> None:
        del connection, is_overdue

    return SharedConnection(await asyncpg.connect(url, connection_class=HandedOver), drop)


async def opened(url: str) -> Database:
    database = connect(url, is_pipelined=True)
    await pipelines(database).opened()
    return database


async def migrated(server: PostgresServer) -> Database:
    """A database of this server, with tables, for the service's role."""
    owner = connect(as_role(server.url, OWNER))
    await migrate(owner)
    async with owner.writes.begin() as connection:
        await grant_to(connection, SERVICE)
    await owner.dispose()
    return await opened(as_role(server.url, SERVICE))


def pipelines(database: Database) -> PipelinedExecutor:
    assert database.pipelined_executor is not None
    return database.pipelined_executor


def connections(database: Database) -> list[SharedConnection]:
    return [*pipelines(database).reads.connections, *pipelines(database).writes.connections]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)


class TestPipelinedTaskLists(TaskListsContract, TaskPagesContract):
    """The port's contract, with brief statements on shared connections."""

    @pytest.fixture
    def lists(self, pipelined: Database) -> TaskLists:
        return SqlTaskLists(pipelined)

    @pytest.fixture
    def bounded(self, pipelined: Database) -> TaskLists:
        return SqlTaskLists(pipelined, 3)


class TestAnswers:
    """On one connection."""

    async def test_statements_of_one_turn_leave_together_and_are_answered_in_order(
        self, connection: SharedConnection
    ) -> None:
        await connection.run("SELECT $1::int", [0])
        asking = [asyncio.create_task(connection.run("SELECT $1::int", [number])) for number in range(20)]
        await asyncio.sleep(0)
        assert (connection.unsent, connection.load) == (20, 20)
        assert [rows[0][0] for rows in await asyncio.gather(*asking)] == [*range(20)]
        assert connection.load == 0

    async def test_each_statement_is_a_transaction_of_its_own(self, connection: SharedConnection) -> None:
        asked = ["SELECT set_config('app.user_id', 'alice', true)", "SELECT current_setting('app.user_id', true)"] * 3
        found = await asyncio.gather(*(connection.run(sql, []) for sql in asked))
        assert [rows[0][0] or None for rows in found] == ["alice", None] * 3
        numbers = await asyncio.gather(*(connection.run("SELECT pg_current_xact_id()::text", []) for _ in range(5)))
        assert len({rows[0][0] for rows in numbers}) == 5

    async def test_a_statement_that_fails_costs_its_neighbours_nothing(self, connection: SharedConnection) -> None:
        asked = [connection.run("SELECT 12 / $1::int", [number]) for number in (3, 0, 4, 0, 6)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [rows[0][0] for rows in found[::2] if not isinstance(rows, BaseException)] == [4, 3, 2]
        assert [type(error) for error in found[1::2]] == [asyncpg.DivisionByZeroError] * 2

    async def test_who_is_cancelled_gets_nobody_elses_answer(self, connection: SharedConnection) -> None:
        await connection.run("SELECT $1::int", [0])
        asking = [asyncio.create_task(connection.run("SELECT $1::int", [number])) for number in range(20)]
        await asyncio.sleep(0)
        for task in asking[::2]:
            task.cancel()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(one) for one in found[::2]] == [asyncio.CancelledError] * 10
        assert [rows[0][0] for rows in found[1::2] if not isinstance(rows, BaseException)] == [*range(1, 20, 2)]
        assert (await connection.run("SELECT $1::int", [99]))[0][0] == 99

    async def test_a_statement_is_prepared_once_however_many_wait_for_it(self, connection: SharedConnection) -> None:
        asking = [asyncio.create_task(connection.run("SELECT $1::int", [number])) for number in range(10)]
        await asyncio.sleep(0)
        asking[0].cancel()
        await asyncio.wait(asking)
        assert [task.result()[0][0] for task in asking[1:]] == [*range(1, 10)]
        counted = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'shared%' AND statement LIKE '%$1::int'"
        assert (await connection.run(counted, []))[0][0] == 1

    async def test_notices_settings_and_notifications_come_in_between(
        self, connection: SharedConnection, other: "asyncpg.Connection"
    ) -> None:
        await other.execute(
            "CREATE FUNCTION say(text) RETURNS text LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE WARNING '%', $1; RETURN set_config('application_name', $1, false); END $$"
        )
        await connection.run("LISTEN news", [])
        for number in range(3):
            await other.execute("NOTIFY news, 'x'")
            found = await asyncio.gather(*(connection.run("SELECT say($1)", [f"{number}-{n}"]) for n in range(5)))
            assert [rows[0][0] for rows in found] == [f"{number}-{n}" for n in range(5)]

    async def test_a_lost_statement_is_for_another_connection_and_then_prepared_anew(
        self, connection: SharedConnection
    ) -> None:
        await connection.run("SELECT $1::int", [1])
        await connection.run("DEALLOCATE ALL", [])
        with pytest.raises(NotHere):
            await connection.run("SELECT $1::int", [2])
        assert (await connection.run("SELECT $1::int", [3]))[0][0] == 3

    async def test_a_statement_whose_columns_have_changed_is_too(
        self, connection: SharedConnection, other: "asyncpg.Connection"
    ) -> None:
        await other.execute("CREATE TABLE things (one int); INSERT INTO things VALUES (1)")
        await connection.run("SELECT * FROM things", [])
        await other.execute("ALTER TABLE things ADD two text DEFAULT 'new'")
        with pytest.raises(NotHere):
            await connection.run("SELECT * FROM things", [])
        assert await connection.run("SELECT * FROM things", []) == [(1, "new")]

    async def test_a_type_or_an_argument_that_is_not_known_is_for_the_driver(
        self, connection: SharedConnection
    ) -> None:
        for _ in range(2):
            with pytest.raises(NotHere):
                await connection.run("SELECT '{}'::json", [])
        with pytest.raises(NotHere):
            await connection.run("SELECT $1::int", ["1"])
        assert connection.load == 0

    async def test_large_answers_and_arguments(self, connection: SharedConnection) -> None:
        text = "ü" * 2_000_000
        asked = [connection.run("SELECT $1::text, $2::int", [text, number]) for number in range(3)]
        assert await asyncio.gather(*asked) == [[(text, number)] for number in range(3)]
        rows = await connection.run("SELECT n FROM generate_series(1, 100000) n", [])
        assert [number for (number,) in rows] == [*range(1, 100_001)]

    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("text", ["", "a", "\u00fc\U0001f600", "x" * 10_000, None]),
            ("varchar(255)", ["", "a", "\u00fc\U0001f600", None]),
            ("bool", [True, False, None]),
            ("int", [0, 1, -1, 2**31 - 1, -(2**31), None]),
            ("bigint", [0, 1, -1, 2**63 - 1, -(2**63), None]),
            ("bytea", [b"", b"\0\xff", None]),
            ("uuid", [UUID(int=0), UUID(int=2**128 - 1), uuid4(), None]),
            (
                "timestamptz",
                [
                    datetime(2000, 1, 1, tzinfo=UTC),
                    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
                    datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
                    datetime(2026, 3, 29, 1, 59, 59, 1, tzinfo=UTC),
                    None,
                ],
            ),
        ],
    )
    async def test_values_are_the_drivers(
        self, kind: str, values: list[Any], connection: SharedConnection, other: "asyncpg.Connection"
    ) -> None:
        sql = f"SELECT $1::{kind}, $1::{kind}::text"
        for value in values:
            ((ours, written),) = await connection.run(sql, [value])
            theirs = await other.fetchrow(sql, value)
            assert (ours, written, type(ours)) == (*theirs, type(theirs[0]))
            assert ours == value

    async def test_arrays_of_numbers(self, connection: SharedConnection, other: "asyncpg.Connection") -> None:
        for numbers in ([], [1], [-1, 2**63 - 1, 0], None):
            ours = await connection.run("SELECT $1::bigint[]::text", [numbers])
            assert ours[0][0] == await other.fetchval("SELECT $1::bigint[]::text", numbers)


@pytest.mark.parametrize("form", ["password", "socket", "TLS"])
async def test_the_driver_opens_connections_whatever_the_address(
    own_postgres: PostgresServer, tmp_path: Path, form: str
) -> None:
    await (await migrated(own_postgres)).dispose()
    (own_postgres.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    execute(own_postgres.url, "SELECT pg_reload_conf()")
    async with AsyncExitStack() as stack:
        port = own_postgres.port
        if form == "TLS":
            port = await stack.enter_async_context(tls_in_front_of(port, tmp_path))
        host = quote(str(own_postgres.folder), safe="") if form == "socket" else "127.0.0.1"
        url = as_role(f"postgresql://{host}:{port}/postgres", SERVICE)
        database = await opened(f"{url}?sslmode={'require' if form == 'TLS' else 'disable'}")
        stack.push_async_callback(database.dispose)
        assert len(connections(database)) == 6
        lists = SqlTaskLists(database)
        task = await add(lists, new(description="x" * 2000))
        assert await asyncio.gather(*(get(lists, task.id) for _ in range(40))) == [task] * 40


@asynccontextmanager
async def tls_in_front_of(port: int, folder: Path) -> AsyncIterator[int]:
    """A proxy that speaks TLS, as PostgreSQL's clients ask for it, in front of a server that does not."""
    context, tasks = self_signed(folder), set[asyncio.Task[None]]()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == struct.pack("!ii", 8, 80877103)  # SSLRequest
        writer.write(b"S")
        await writer.start_tls(context)
        server = await asyncio.open_connection("127.0.0.1", port)
        for source, target in ((reader, server[1]), (server[0], writer)):
            tasks.add(asyncio.create_task(copy(source, target)))

    async with await asyncio.start_server(accept, "127.0.0.1") as proxy:
        yield proxy.sockets[0].getsockname()[1]
    await asyncio.wait(tasks, timeout=30)


class TestChoice:
    """Which connection a statement goes to."""

    async def test_a_turn_fills_one_connection_before_it_takes_the_next(self, pipelined: Database) -> None:
        reads = pipelines(pipelined).reads
        lists = SqlTaskLists(pipelined)
        task = await add(lists, new())
        for _ in range(5):
            await get(lists, task.id)  # prepared on both
        await asyncio.gather(*(get(lists, task.id) for _ in range(3 * READ_BATCH)))
        asking = [asyncio.create_task(get(lists, task.id)) for _ in range(READ_BATCH + 1)]
        await asyncio.sleep(0)
        assert sorted(one.unsent for one in reads.connections) == [1, READ_BATCH]
        assert await asyncio.gather(*asking) == [task] * (READ_BATCH + 1)

    async def test_more_than_the_connections_take_go_elsewhere(self, pipelined: Database) -> None:
        lists = SqlTaskLists(pipelined)
        task = await add(lists, new())
        count = 3 * MAX_WAITING
        asking = [asyncio.create_task(get(lists, task.id)) for _ in range(count)]
        await asyncio.sleep(0)
        assert sum(one.load for one in pipelines(pipelined).reads.connections) <= 2 * MAX_WAITING + READ_BATCH
        assert await asyncio.gather(*asking) == [task] * count

    async def test_brief_statements_take_no_other_connection(
        self, pipelined: Database, admin: "asyncpg.Connection"
    ) -> None:
        lists = SqlTaskLists(pipelined)
        task = await add(lists, new())
        await asyncio.gather(*(get(lists, task.id) for _ in range(50)), *(add(lists, new()) for _ in range(50)))
        await asyncio.gather(*(revision(lists) for _ in range(50)))
        await asyncio.gather(*(page(lists, TaskQuery(limit=20)) for _ in range(50)))
        assert await self.opened(pipelined, admin) == len(connections(pipelined)) == 6

    @pytest.mark.parametrize(
        "query",
        [
            TaskQuery(limit=1000),
            TaskQuery(limit=20, text="milk"),
            TaskQuery(limit=20, completed=True, order=Order.UPDATED),
            TaskQuery(limit=20, completed=False, order=Order.UPDATED_LAST_FIRST),
        ],
        ids=["many tasks", "a search", "done by change", "open by change"],
    )
    @pytest.mark.parametrize("known", [None, Revisions(frozenset({Revision(7)}))], ids=["unknown", "known"])
    async def test_pages_that_may_take_long_take_other_connections(
        self, pipelined: Database, admin: "asyncpg.Connection", query: TaskQuery, known: Revisions | None
    ) -> None:
        lists = SqlTaskLists(pipelined)
        await add(lists, new())
        await lists.open(ALICE).page(query, known=known)
        is_brief = query.limit > BRIEF_ROWS and known is not None  # most probably the revision alone
        assert await self.opened(pipelined, admin) - len(connections(pipelined)) == (0 if is_brief else 1)

    async def opened(self, pipelined: Database, admin: "asyncpg.Connection") -> Any:
        """All connections of the service to its database."""
        (pid,) = {one.server_pid for one in connections(pipelined)[:1]}
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evo-todo'"
            " AND datname = (SELECT datname FROM pg_stat_activity WHERE pid = $1)"
        )
        return await admin.fetchval(asked, pid)

    async def test_the_connections_have_the_planners_settings(self, pipelined: Database) -> None:
        for connection in connections(pipelined):
            for name, value in PLANNER.items():
                assert await connection.run(f"SELECT current_setting('{name}')", []) == [(value,)]

    async def test_a_pooler_that_refuses_the_settings_is_asked_once(self) -> None:
        attempts: list[int] = []

        async def refuse() -> HandedOver:
            attempts.append(1)
            raise asyncpg.ProtocolViolationError("unsupported startup parameter: lock_timeout")

        pipeline = Pipeline(refuse, 2, 16, _nothing)
        for _ in range(3):
            await pipeline.opened()
            assert pipeline.choose() is None
        assert attempts == [1]


async def _nothing(_: int) -> None: ...


class TestFaults:
    """Of the server, and of other statements on the same connection."""

    async def test_a_write_that_waits_for_a_lock_leaves_the_shared_connection(self, pipelined: Database) -> None:
        lists = SqlTaskLists(pipelined)
        await add(lists, new())
        async with edit(lists) as tasks:
            task = await tasks.save(new("held"))
            waiting = asyncio.create_task(add(lists, new("waits")))
            async with asyncio.timeout(DEADLINE):
                assert {(await add(lists, new(owner=BOB))).revision for _ in range(20)} == {*range(1, 21)}
            assert not waiting.done()
            await until(lambda: all(one.load == 0 for one in connections(pipelined)))
        assert (await waiting).revision == task.revision + 1

    @pytest.mark.parametrize("kind", ["reads", "writes"])
    async def test_a_backend_that_is_killed_costs_reads_nothing_and_writes_an_error(
        self, pipelined: Database, admin: "asyncpg.Connection", kind: str
    ) -> None:
        lists = SqlTaskLists(pipelined)
        task = await add(lists, new())
        stored = {task.id}
        for _ in range(3):
            await pipelines(pipelined).opened()
            call: Callable[[], Awaitable[Task]]
            call = (lambda: get(lists, task.id)) if kind == "reads" else (lambda: add(lists, new()))
            asking = [asyncio.ensure_future(call()) for _ in range(30)]
            await asyncio.sleep(0)
            for one in connections(pipelined):
                await admin.execute("SELECT pg_terminate_backend($1)", one.server_pid)
            found = await asyncio.gather(*asking, return_exceptions=True)
            failed = [one for one in found if isinstance(one, BaseException)]
            assert {type(one) for one in failed} <= ({StorageUnavailable} if kind == "writes" else set())
            stored |= {one.id for one in found if not isinstance(one, BaseException)}
            for task_id in stored:
                assert (await get(lists, task_id)).id == task_id

    async def test_a_restart_and_a_dead_server(self, own_postgres: PostgresServer) -> None:
        database = await migrated(own_postgres)
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        own_postgres.stop()
        await until(lambda: not connections(database))
        for call in (get(lists, task.id), add(lists, new())):
            with pytest.raises(StorageUnavailable):
                await call
        own_postgres.start()
        assert await get(lists, task.id) == task
        async with asyncio.timeout(30):
            while not connections(database):
                assert await get(lists, task.id) == task
                await asyncio.sleep(0.01)
        assert (await add(lists, new())).revision == 2
        await database.dispose()

    async def test_a_server_that_does_not_respond_is_unavailable_within_the_deadline(
        self, own_postgres: PostgresServer
    ) -> None:
        database = await migrated(own_postgres)
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        await get(lists, task.id)
        own_postgres.pause()
        try:
            started = asyncio.get_running_loop().time()
            calls = (get(lists, task.id), add(lists, new()), revision(lists))
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(one) for one in found] == [StorageUnavailable] * 3
            assert asyncio.get_running_loop().time() - started < DEADLINE + 5
            assert not any(one.load for one in connections(database))
        finally:
            own_postgres.resume()
        assert await get(lists, task.id) == task
        await database.dispose()

    async def test_a_read_behind_one_that_hangs_is_run_elsewhere_in_time(self, own_postgres: PostgresServer) -> None:
        database = await migrated(own_postgres)
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        admin = await asyncpg.connect(own_postgres.url)
        hanging = [*pipelines(database).reads.connections]
        await asyncio.gather(*(one.run("SET statement_timeout = 0", []) for one in hanging))
        stuck = [asyncio.create_task(one.run(SLEEP, [])) for one in hanging]
        pids = {one.server_pid for one in hanging}
        await asyncio.sleep(0)
        assert await get(lists, task.id) == task
        assert [type(one) for one in await asyncio.gather(*stuck, return_exceptions=True)] == [TimeoutError] * 2
        asked = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)"
        async with asyncio.timeout(30):
            while await admin.fetchval(asked, [*pids]):  # noqa: ASYNC110  (what is waited for is another process)
                await asyncio.sleep(0.01)
        await admin.close()
        await database.dispose()

    async def test_a_read_only_server_refuses_writes_and_answers_reads(self, own_postgres: PostgresServer) -> None:
        database = await migrated(own_postgres)
        task = await add(SqlTaskLists(database), new())
        await database.dispose()
        execute(own_postgres.url, "ALTER DATABASE postgres SET default_transaction_read_only = on")
        database = await opened(as_role(own_postgres.url, SERVICE))
        with pytest.raises(StorageUnavailable):
            await add(SqlTaskLists(database), new())
        assert await get(SqlTaskLists(database), task.id) == task
        assert len(connections(database)) == 6
        await database.dispose()

    async def test_what_the_server_never_sends_ends_the_connection(self, connection: SharedConnection) -> None:
        asking = asyncio.create_task(connection.run(SLEEP, []))
        await until(lambda: connection.load)
        connection.data_received(b"HTTP/1.1 400 Bad Request\r\n")
        with pytest.raises(ConnectionError):
            await asking
        with pytest.raises(NotHere):
            await connection.run("SELECT 1", [])

    async def test_an_answer_that_nobody_waits_for_ends_the_connection(self, connection: SharedConnection) -> None:
        assert await connection.run("SELECT 1", []) == [(1,)]
        connection.data_received(b"Z\0\0\0\5I")
        with pytest.raises(NotHere):
            await connection.run("SELECT 1", [])

    async def test_a_transaction_that_stays_open_ends_the_connection(self, connection: SharedConnection) -> None:
        with pytest.raises(ConnectionError):
            await connection.run("BEGIN", [])

    async def test_missing_tables_are_unavailability(self, postgres_url: str) -> None:
        database = await opened(postgres_url)
        for call in (get(SqlTaskLists(database), new().id), add(SqlTaskLists(database), new())):
            with pytest.raises(StorageUnavailable):
                await call
        await database.dispose()

    async def test_closing_ends_who_still_waits(self, connection: SharedConnection) -> None:
        asking = asyncio.create_task(connection.run(SLEEP, []))
        await until(lambda: connection.load)
        await connection.close()
        with pytest.raises(ConnectionError):
            await asking


@pytest.mark.parametrize("is_filtered", [True, False], ids=["filtered by owner", "row-level security alone"])
async def test_among_cancellations_and_kills_nobody_gets_anothers_answer_or_row(
    pipelined: Database, migrated_postgres_url: str, postgres_server: str, *, is_filtered: bool
) -> None:
    if not is_filtered:
        remove_owner_filter(pipelined)
    administrator = await asyncpg.connect(
        urlsplit(postgres_server)._replace(path=urlsplit(migrated_postgres_url).path).geturl()
    )
    counts = await Isolation(pipelined, administrator, random.Random(1)).run(1200)
    await administrator.close()
    for fault in FAULTS:
        assert counts[fault] == 0, counts
    assert min(counts[what] for what in ("answers", "rows", "cancelled", "killed")) > 0, counts
    assert counts["unavailable"] < counts["operations"] / 10, counts
