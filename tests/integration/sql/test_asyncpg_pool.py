"""The pool of asyncpg connections: queueing, replacement of lost connections, and time-outs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.database import connect
from adapters.sql.errors import DEADLINE
from adapters.sql.executors import AsyncpgExecutor
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import StorageUnavailable
from tests.contracts.task_lists import START, add, edit, get, new, revision, save
from tests.support.postgres import SERVICE, as_role

WHO = "SELECT pg_backend_pid()"
SLEEP = "SELECT pg_sleep(60)"
LOCK = "SELECT pg_advisory_xact_lock(1), pg_backend_pid() AS pid"

MakePool = Callable[..., AsyncpgPool]


@pytest.fixture
async def make_pool(postgres_url: str) -> AsyncIterator[MakePool]:
    made: list[AsyncpgPool] = []

    def make(
        size: int = 1, opened: Callable[[], Awaitable["asyncpg.Connection"]] | None = None, **timeouts: Any
    ) -> AsyncpgPool:
        made.append(AsyncpgPool(opened or (lambda: asyncpg.connect(postgres_url)), size, **timeouts))
        return made[-1]

    yield make
    for pool in made:
        await pool.close()


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def acquire(pool: AsyncpgPool) -> "asyncpg.Connection":
    return await pool.acquire(asyncio.get_running_loop().time() + 30)


async def pid(pool: AsyncpgPool, *, is_repeatable: bool = False) -> int:
    return int((await pool.fetch(WHO, (), is_repeatable=is_repeatable))[0][0])


async def run_ready_tasks() -> None:
    """Let tasks that are ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def blocked(other: "asyncpg.Connection", *, but: int = 0) -> int:
    """The server process that waits for the lock, other than `but`."""
    asked = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database() AND pid <> $1"
    )
    async with asyncio.timeout(30):
        while (found := await other.fetchval(asked, but)) is None:  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)
    return int(found)


async def test_one_connection_is_used_again_and_again(make_pool: MakePool) -> None:
    pool = make_pool(3)
    assert len({await pid(pool) for _ in range(5)}) == 1


async def test_no_more_than_the_size_are_opened_and_waiters_are_served_in_order(make_pool: MakePool) -> None:
    pool = make_pool(2)
    first, second = await acquire(pool), await acquire(pool)
    order: list[int] = []

    async def wait(number: int) -> None:
        connection = await acquire(pool)
        order.append(number)
        assert connection in {first, second}
        pool.release(connection)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await run_ready_tasks()
    assert order == []
    pool.release(first)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    pool.release(second)


async def test_a_waiter_times_out_and_the_next_gets_the_connection(make_pool: MakePool) -> None:
    pool = make_pool(acquire_timeout=0.01)
    lent = await acquire(pool)
    with pytest.raises(TimeoutError):
        await acquire(pool)
    pool.acquire_timeout = 30
    patient = asyncio.create_task(acquire(pool))
    await run_ready_tasks()
    pool.release(lent)
    assert await patient is lent
    pool.release(lent)


async def test_a_waiter_that_is_cancelled_as_it_is_woken_wakes_the_next(make_pool: MakePool) -> None:
    pool = make_pool()
    lent = await acquire(pool)
    impatient, patient = asyncio.create_task(acquire(pool)), asyncio.create_task(acquire(pool))
    await run_ready_tasks()
    pool.release(lent)
    impatient.cancel()  # in the same iteration of the event loop in which it was woken
    assert await patient is lent
    assert impatient.cancelled()
    pool.release(lent)
    assert await pid(pool)


async def test_a_lost_connection_is_replaced_and_a_read_is_sent_again(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = make_pool()
    await other.execute("SELECT pg_advisory_lock(1)")
    asking = asyncio.create_task(pool.fetch(LOCK, (), is_repeatable=True))
    victim = await blocked(other)
    await other.execute(f"SELECT pg_terminate_backend({victim})")
    await blocked(other, but=victim)
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert (await asking)[0]["pid"] != victim


async def test_a_write_that_loses_its_connection_is_not_repeated(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = make_pool()
    await other.execute("SELECT pg_advisory_lock(1)")
    asking = asyncio.create_task(pool.fetch(LOCK, ()))
    await other.execute(f"SELECT pg_terminate_backend({await blocked(other)})")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await asking
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert await pid(pool)


async def test_after_a_lost_connection_the_idle_ones_are_dropped_too(make_pool: MakePool) -> None:
    pool = make_pool(2)
    first, second = await acquire(pool), await acquire(pool)
    pool.release(first)
    pool.release(second)
    asking = asyncio.create_task(pool.fetch("SELECT pg_sleep(30)", (), is_repeatable=False))
    await run_ready_tasks()
    second.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await asking
    assert first.is_closed()
    assert await pid(pool)


async def test_a_statement_that_times_out_costs_its_connection(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = make_pool()
    before = await pid(pool)
    await other.execute("SELECT pg_advisory_lock(1)")
    pool.statement_timeout = 0.05
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await pool.fetch(LOCK, (), is_repeatable=True)
    pool.statement_timeout = DEADLINE
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert await pid(pool) != before


async def before_a_lock(pool: AsyncpgPool, other: "asyncpg.Connection") -> AsyncpgPool:
    """Open all connections of the pool, and take the lock that LOCK waits for."""
    for connection in [await acquire(pool) for _ in range(pool.size)]:
        pool.release(connection)
    await other.execute("SELECT pg_advisory_lock(1)")
    return pool


async def test_an_earlier_deadline_is_enforced_before_a_later_one(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = await before_a_lock(make_pool(2), other)
    patient = asyncio.create_task(pool.fetch(LOCK, ()))
    await blocked(other)
    pool.statement_timeout = 0.05
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await pool.fetch(LOCK, ())
    assert not patient.done()
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert await patient


async def test_several_statements_that_time_out_together_are_all_cut(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = await before_a_lock(make_pool(3, statement_timeout=0.2), other)
    assert await pid(pool)  # sets the timer, and ends before it fires
    asking = [asyncio.create_task(pool.fetch(LOCK, ())) for _ in range(3)]
    async with asyncio.timeout(10):
        results = await asyncio.gather(*asking, return_exceptions=True)
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert [isinstance(result, TimeoutError) for result in results] == [True, True, True]


async def test_a_cancelled_statement_leaves_no_rows_to_the_next(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = make_pool()
    before = await pid(pool)
    await other.execute("SELECT pg_advisory_lock(1)")
    leaving = asyncio.create_task(pool.fetch(LOCK, ()))
    await blocked(other)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await pid(pool) != before
    await other.execute("SELECT pg_advisory_unlock(1)")


async def running(other: "asyncpg.Connection") -> list[int]:
    """The server processes that sleep."""
    asked = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    return [row["pid"] for row in await other.fetch(asked)]


async def until(other: "asyncpg.Connection", count: int) -> None:
    """Wait until so many server processes sleep."""
    async with asyncio.timeout(30):
        while len(await running(other)) != count:  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("reason", ["deadline", "cancellation"])
async def test_a_statement_that_is_given_up_ends_in_the_server_and_costs_no_other_connection(
    make_pool: MakePool, other: "asyncpg.Connection", reason: str
) -> None:
    pool = make_pool(3)
    lent = [await acquire(pool) for _ in range(3)]
    for connection in lent:
        pool.release(connection)
    pool.statement_timeout = 0.3 if reason == "deadline" else 60
    asking = asyncio.create_task(pool.fetch(SLEEP, (), is_repeatable=True))
    await until(other, 1)
    if reason == "cancellation":
        asking.cancel()
    with pytest.raises(TimeoutError if reason == "deadline" else asyncio.CancelledError):
        await asking
    await until(other, 0)
    assert [connection.is_closed() for connection in lent].count(False) == 2
    pool.statement_timeout = DEADLINE
    assert await pid(pool)


async def test_the_place_of_a_statement_that_is_given_up_is_free_when_the_server_has_ended_it(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = make_pool(statement_timeout=0.2)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await pool.fetch(SLEEP, ())
        assert await pid(pool)
        assert await running(other) == []


async def test_a_change_that_is_given_up_ends_in_the_server(make_pool: MakePool, other: "asyncpg.Connection") -> None:
    pool = make_pool()
    executor = AsyncpgExecutor(pool, pool, pool)

    async def change() -> None:
        async with executor.transaction() as transaction:
            await transaction.run(text(SLEEP), {})

    changing = asyncio.create_task(change())
    await until(other, 1)
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing
    await until(other, 0)


async def test_a_statement_that_is_overdue_and_cancelled_is_cancelled(
    make_pool: MakePool, other: "asyncpg.Connection"
) -> None:
    pool = make_pool(statement_timeout=0.2)
    assert await pid(pool)
    asking = asyncio.create_task(pool.fetch(SLEEP, ()))
    await until(other, 1)
    asyncio.get_running_loop().call_later(0.1, asking.cancel)
    time.sleep(0.5)  # noqa: ASYNC251  (both are due when the loop goes on)
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(other, 0)


async def test_if_the_server_does_not_end_a_statement_the_idle_connections_are_dropped_too(
    make_pool: MakePool, postgres_url: str
) -> None:
    class Unreachable(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no annotations
        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  (asyncpg's signature)
            del timeout
            self.terminate()
            raise TimeoutError

    pool = make_pool(2, lambda: asyncpg.connect(postgres_url, connection_class=Unreachable))
    first, second = await acquire(pool), await acquire(pool)
    pool.release(first)
    pool.release(second)
    pool.statement_timeout = 0.1
    with pytest.raises(TimeoutError):
        await pool.fetch(SLEEP, ())
    await run_ready_tasks()
    assert first.is_closed()
    assert second.is_closed()


async def test_a_statement_that_the_server_rejects_costs_no_connection(make_pool: MakePool) -> None:
    pool = make_pool()
    before = await pid(pool)
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.fetch("SELECT * FROM nowhere", ())
    assert await pid(pool) == before


async def test_a_failed_connect_raises_at_once_and_the_next_tries_after_a_pause(
    make_pool: MakePool, postgres_url: str
) -> None:
    tries: list[float] = []

    async def opened() -> "asyncpg.Connection":
        tries.append(asyncio.get_running_loop().time())
        if len(tries) == 1:
            raise ConnectionRefusedError
        return await asyncpg.connect(postgres_url)

    pool = make_pool(opened=opened, connect_pause=0.05)
    with pytest.raises(ConnectionRefusedError):
        await pid(pool)
    assert await pid(pool)
    assert len(tries) == 2
    assert tries[1] - tries[0] >= 0.05


async def test_a_pool_that_closes_waits_for_statements_of_which_nobody_else_knows(make_pool: MakePool) -> None:
    pool = make_pool(2)
    running = asyncio.create_task(pool.fetch("SELECT pg_sleep(0.1)", ()))
    await run_ready_tasks()
    await pool.close()
    assert running.done()
    assert (pool.in_use, pool.waiting) == (0, 0)


async def test_a_connection_in_use_is_closed_when_it_is_released_to_a_closed_pool(make_pool: MakePool) -> None:
    pool = make_pool(2)
    idle, lent = await acquire(pool), await acquire(pool)
    pool.release(idle)
    await pool.close()
    assert idle.is_closed()
    assert not lent.is_closed()
    pool.release(lent)
    assert lent.is_closed()


async def test_a_cancelled_change_keeps_no_lock_and_stores_nothing(
    migrated_postgres_url: str,
) -> None:
    database = connect(as_role(migrated_postgres_url, SERVICE))
    try:
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        has_begun = asyncio.Event()

        async def leave() -> None:
            async with edit(lists) as tasks:
                await tasks.save((await tasks.get(task.id)).toggled(at=START))
                has_begun.set()
                await asyncio.Event().wait()

        leaving = asyncio.create_task(leave())
        await has_begun.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await get(lists, task.id) == task
        assert (await save(lists, task.deleted(at=START))).revision == await revision(lists) == 2
    finally:
        await database.dispose()


async def test_a_change_whose_connection_is_lost_is_unavailability(migrated_postgres_url: str) -> None:
    database = connect(as_role(migrated_postgres_url, SERVICE))
    try:
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        with pytest.raises(StorageUnavailable):
            async with edit(lists) as tasks:
                await tasks.get(task.id)
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
                killer = await asyncpg.connect(as_role(migrated_postgres_url, SERVICE))
                await killer.execute(cut)
                await killer.close()
                await tasks.save(task.toggled(at=START))
        assert await get(lists, task.id) == task
        assert await revision(lists) == 1
    finally:
        await database.dispose()
