"""Connections that stay open: lent in turn, replaced when they die, and never handed on in the middle of something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from adapters.sql import asyncpg_pool as held_connections
from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.database import connect
from adapters.sql.task_lists import SqlTaskLists
from domain.errors import StorageUnavailable
from tests.contracts.task_lists import ALICE, START, add, get, new, revision, save
from tests.support.postgres import SERVICE, as_role

WHO = "SELECT pg_backend_pid()"
LOCK = "SELECT pg_advisory_xact_lock(1), pg_backend_pid() AS pid"

_CUT = (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)
"""What a statement raises whose connection is cut."""

Hold = Callable[..., AsyncpgPool]


@pytest.fixture
async def hold(postgres_url: str) -> AsyncIterator[Hold]:
    made: list[AsyncpgPool] = []

    def held(size: int = 1, opened: Callable[[], Awaitable["asyncpg.Connection"]] | None = None) -> AsyncpgPool:
        made.append(AsyncpgPool(opened or (lambda: asyncpg.connect(postgres_url)), size))
        return made[-1]

    yield held
    for one in made:
        await one.close()


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def borrow(held: AsyncpgPool) -> "asyncpg.Connection":
    return await held.acquire(asyncio.get_running_loop().time() + 30)


async def pid(held: AsyncpgPool, *, is_repeatable: bool = False) -> int:
    return int((await held.fetch(WHO, (), is_repeatable=is_repeatable))[0][0])


async def turns_of_the_loop() -> None:
    """Let whoever can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def blocked(other: "asyncpg.Connection", *, but: int = 0) -> int:
    """The process that waits for the lock, that one left out."""
    asked = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database() AND pid <> $1"
    )
    async with asyncio.timeout(30):
        while (found := await other.fetchval(asked, but)) is None:  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)
    return int(found)


async def test_one_connection_serves_again_and_again(hold: Hold) -> None:
    held = hold(3)
    assert len({await pid(held) for _ in range(5)}) == 1


async def test_no_more_are_opened_than_may_be_and_who_waits_comes_in_turn(hold: Hold) -> None:
    held = hold(2)
    first, second = await borrow(held), await borrow(held)
    order: list[int] = []

    async def wait(number: int) -> None:
        connection = await borrow(held)
        order.append(number)
        assert connection in {first, second}
        held.release(connection)

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await turns_of_the_loop()
    assert order == []
    held.release(first)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    held.release(second)


async def test_who_waits_too_long_is_told_and_the_next_gets_the_turn(
    hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold()
    lent = await borrow(held)
    monkeypatch.setattr(held_connections, "ACQUIRE_TIMEOUT", 0.01)
    with pytest.raises(TimeoutError):
        await borrow(held)
    monkeypatch.setattr(held_connections, "ACQUIRE_TIMEOUT", 30)
    patient = asyncio.create_task(borrow(held))
    await turns_of_the_loop()
    held.release(lent)
    assert await patient is lent
    held.release(lent)


async def test_a_turn_that_nobody_wants_any_more_goes_to_the_next(hold: Hold) -> None:
    held = hold()
    lent = await borrow(held)
    impatient, patient = asyncio.create_task(borrow(held)), asyncio.create_task(borrow(held))
    await turns_of_the_loop()
    held.release(lent)
    impatient.cancel()  # in the very moment in which its turn has come
    assert await patient is lent
    assert impatient.cancelled()
    held.release(lent)
    assert await pid(held)


async def test_a_dead_connection_is_replaced_and_a_read_is_asked_again(hold: Hold, other: "asyncpg.Connection") -> None:
    held = hold()
    await other.execute("SELECT pg_advisory_lock(1)")
    asking = asyncio.create_task(held.fetch(LOCK, (), is_repeatable=True))
    victim = await blocked(other)
    await other.execute(f"SELECT pg_terminate_backend({victim})")
    await blocked(other, but=victim)
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert (await asking)[0]["pid"] != victim


async def test_a_write_that_loses_its_connection_is_not_repeated(hold: Hold, other: "asyncpg.Connection") -> None:
    held = hold()
    await other.execute("SELECT pg_advisory_lock(1)")
    asking = asyncio.create_task(held.fetch(LOCK, ()))
    await other.execute(f"SELECT pg_terminate_backend({await blocked(other)})")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await asking
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert await pid(held)


async def test_who_finds_one_dead_trusts_none_of_the_idle_ones(hold: Hold) -> None:
    held = hold(2)
    first, second = await borrow(held), await borrow(held)
    held.release(first)
    held.release(second)
    asking = asyncio.create_task(held.fetch("SELECT pg_sleep(30)", (), is_repeatable=False))
    await turns_of_the_loop()
    second.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await asking
    assert first.is_closed()
    assert await pid(held)


async def test_a_server_that_does_not_answer_costs_the_deadline_and_the_connection(
    hold: Hold, other: "asyncpg.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold()
    before = await pid(held)
    await other.execute("SELECT pg_advisory_lock(1)")
    monkeypatch.setattr(held_connections, "DEADLINE", 0.05)
    async with asyncio.timeout(10):
        with pytest.raises(_CUT):
            await held.fetch(LOCK, (), is_repeatable=True)
    monkeypatch.undo()
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert await pid(held) != before


async def before_a_lock(held: AsyncpgPool, other: "asyncpg.Connection") -> AsyncpgPool:
    """Have all of its connections open, and whoever asks for the lock wait."""
    for connection in [await borrow(held) for _ in range(held.size)]:
        held.release(connection)
    await other.execute("SELECT pg_advisory_lock(1)")
    return held


async def test_one_whose_time_is_up_sooner_than_that_of_others_does_not_wait_for_them(
    hold: Hold, other: "asyncpg.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await before_a_lock(hold(2), other)
    patient = asyncio.create_task(held.fetch(LOCK, ()))
    await blocked(other)
    monkeypatch.setattr(held_connections, "DEADLINE", 0.05)
    async with asyncio.timeout(10):
        with pytest.raises(_CUT):
            await held.fetch(LOCK, ())
    assert not patient.done()
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert await patient


async def test_who_came_while_another_was_watched_is_cut_in_turn(
    hold: Hold, other: "asyncpg.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await before_a_lock(hold(3), other)
    monkeypatch.setattr(held_connections, "DEADLINE", 0.2)
    assert await pid(held)  # which is watched for, and then is gone
    asking = [asyncio.create_task(held.fetch(LOCK, ())) for _ in range(3)]
    async with asyncio.timeout(10):
        results = await asyncio.gather(*asking, return_exceptions=True)
    await other.execute("SELECT pg_advisory_unlock(1)")
    assert [isinstance(result, _CUT) for result in results] == [True, True, True]


async def test_who_leaves_in_the_middle_leaves_no_answer_to_the_next(hold: Hold, other: "asyncpg.Connection") -> None:
    held = hold()
    before = await pid(held)
    await other.execute("SELECT pg_advisory_lock(1)")
    leaving = asyncio.create_task(held.fetch(LOCK, ()))
    await blocked(other)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await pid(held) != before
    await other.execute("SELECT pg_advisory_unlock(1)")


async def test_a_statement_that_the_server_refuses_costs_no_connection(hold: Hold) -> None:
    held = hold()
    before = await pid(held)
    with pytest.raises(asyncpg.UndefinedTableError):
        await held.fetch("SELECT * FROM nowhere", ())
    assert await pid(held) == before


async def test_where_no_connection_can_be_made_who_tries_is_told_and_the_next_tries_after_a_pause(
    hold: Hold, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    async def opened() -> "asyncpg.Connection":
        tries.append(asyncio.get_running_loop().time())
        if len(tries) == 1:
            raise ConnectionRefusedError
        return await asyncpg.connect(postgres_url)

    monkeypatch.setattr(held_connections, "_PAUSE", 0.05)
    held = hold(opened=opened)
    with pytest.raises(ConnectionRefusedError):
        await pid(held)
    assert await pid(held)
    assert len(tries) == 2
    assert tries[1] - tries[0] >= 0.05


async def test_what_is_lent_is_closed_when_it_comes_back_after_the_end(hold: Hold) -> None:
    held = hold(2)
    idle, lent = await borrow(held), await borrow(held)
    held.release(idle)
    await held.close()
    assert idle.is_closed()
    assert not lent.is_closed()
    held.release(lent)
    assert lent.is_closed()


async def test_a_change_that_is_left_in_the_middle_keeps_no_lock_and_stores_nothing(
    migrated_postgres_url: str,
) -> None:
    database = connect(as_role(migrated_postgres_url, SERVICE))
    try:
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        has_begun = asyncio.Event()

        async def leave() -> None:
            async with lists.edit(ALICE) as tasks:
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


async def test_a_change_whose_connection_dies_is_unavailability(migrated_postgres_url: str) -> None:
    database = connect(as_role(migrated_postgres_url, SERVICE))
    try:
        lists = SqlTaskLists(database)
        task = await add(lists, new())
        with pytest.raises(StorageUnavailable):
            async with lists.edit(ALICE) as tasks:
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
