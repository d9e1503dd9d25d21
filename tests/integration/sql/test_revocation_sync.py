import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select, text

from adapters.sql.database import Database
from adapters.sql.notifications import Listener
from adapters.sql.readiness import RevocationsReadiness
from adapters.sql.revocation_sync import RevocationSync
from adapters.sql.revocations import FULL_READ_INTERVAL, SqlRevocations
from application.background import Backoff
from domain.errors import RevocationsUnavailable, StorageUnavailable
from domain.identity import UserId
from tests.contracts.revocations import ALICE, BOB, NOON, ONE, token
from tests.support.pgbouncer import DIRECT
from tests.support.worker_clock import WorkerClock


@pytest.fixture
def hand() -> WorkerClock:
    return WorkerClock()


@pytest.fixture
async def here(database: Database, hand: WorkerClock) -> SqlRevocations:
    revocations = hand.of_a_worker(database)
    await revocations.refresh()
    return revocations


async def test_a_failed_refresh_does_not_count_and_is_logged(
    here: SqlRevocations,
    admin_database: Database,
    hand: WorkerClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sync = RevocationSync(here)
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE revocations RENAME TO away"))
    hand.seconds = 31
    with pytest.raises(StorageUnavailable):
        await here.refresh()
    await sync.refresh()
    await sync.refresh()
    assert await RevocationsReadiness(here).problem() is not None
    with pytest.raises(RevocationsUnavailable):
        here.is_revoked(token())

    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO revocations"))
    await sync.refresh()
    assert not here.is_revoked(token())
    logged = [line for line in caplog.messages if line.startswith("revocations can")]
    assert logged == ["revocations can't be read: no token is accepted", "revocations can be read again"]


@asynccontextmanager
async def running(sync: RevocationSync) -> AsyncIterator[None]:
    await sync.prepare()
    task = asyncio.create_task(sync.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110  (another task's work, which sends no signal)
            await asyncio.sleep(0.01)


async def test_revocations_of_another_worker_are_read_in_the_background(
    database: Database, here: SqlRevocations, hand: WorkerClock
) -> None:
    elsewhere = hand.of_a_worker(database)
    async with running(RevocationSync(elsewhere)):
        await here.revoke(ALICE, ONE, NOON)
        await here.revoke(BOB, None, NOON)
        await until(lambda: elsewhere.is_revoked(token()) and elsewhere.is_revoked(token(BOB)))


async def test_a_first_read_that_takes_long_does_not_hold_up_the_start_and_ends_in_the_background(
    database: Database, here: SqlRevocations, hand: WorkerClock
) -> None:
    await here.revoke(ALICE, ONE, NOON)
    elsewhere = hand.of_a_worker(database)
    sync = RevocationSync(elsewhere, start_timeout=0)
    await sync.prepare()
    with pytest.raises(RevocationsUnavailable):
        elsewhere.is_revoked(token())
    assert "still being read" in str(await RevocationsReadiness(elsewhere).problem())
    task = asyncio.create_task(sync.run())
    await until(lambda: elsewhere.is_current)
    assert elsewhere.is_revoked(token())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_all_revocations_are_read_again_in_the_background(
    database: Database, here: SqlRevocations, admin_database: Database, hand: WorkerClock
) -> None:
    await here.revoke(BOB, ONE, NOON)
    elsewhere = hand.of_a_worker(database)
    async with running(RevocationSync(elsewhere, poll_interval=0.01)):
        await here.revoke(ALICE, ONE, NOON)
        async with admin_database.writes.begin() as connection:
            await connection.execute(
                text("UPDATE revocations SET recorded_at = '2000-01-01', user_id = 'carol' WHERE user_id = 'alice'")
            )
        hand.seconds = FULL_READ_INTERVAL
        await until(lambda: elsewhere.is_current and elsewhere.is_revoked(token(UserId("carol"))))


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[None]:
    task = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@DIRECT
async def test_a_notification_starts_a_refresh_also_after_the_listener_was_lost(
    database: Database, here: SqlRevocations, hand: WorkerClock
) -> None:
    if database.connect is None:
        assert database.dialect == "sqlite"
        return
    elsewhere = hand.of_a_worker(database)
    listener = Listener(database.connect, backoff=Backoff(0.01, 60.0))
    sync = RevocationSync(elsewhere, listener, poll_interval=3600.0)
    listeners = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"

    async def is_listening() -> bool:
        return bool((await database.read(text(listeners))).scalar_one())

    async with running(sync), listening(listener), asyncio.timeout(20):
        for user in (ALICE, BOB):
            while not await is_listening():  # noqa: ASYNC110  (another session's state)
                await asyncio.sleep(0.01)
            await here.revoke(user, ONE, NOON)
            await until(lambda user=user: elsewhere.is_revoked(token(user)))  # type: ignore[misc]  # a lambda's default
            ended = select(func.pg_terminate_backend(text("pid"))).select_from(text("pg_stat_activity"))
            await database.read(ended.where(text("query LIKE 'LISTEN%'")))


async def refuse() -> None:
    raise OSError


async def test_without_a_listener_polling_suffices_and_the_log_says_so(
    database: Database, here: SqlRevocations, hand: WorkerClock, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere, listener = hand.of_a_worker(database), Listener(refuse)
    async with running(RevocationSync(elsewhere, listener)), listening(listener):
        await until(lambda: "can't listen for notifications" in caplog.messages)
        await here.revoke(ALICE, ONE, NOON)
        await until(lambda: elsewhere.is_revoked(token()))


async def test_attempts_to_listen_back_off() -> None:
    backoff = Backoff(0.01, 0.02)
    async with listening(Listener(refuse, backoff=backoff)):
        await until(lambda: backoff.failures > 2)


def test_attempts_to_listen_are_a_minute_apart_at_most_before_jitter() -> None:
    backoff = Listener(refuse)._backoff
    assert (backoff.first, backoff.maximum) == (2, 60)
