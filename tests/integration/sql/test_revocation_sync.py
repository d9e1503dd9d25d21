import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from attrs import evolve
from sqlalchemy import func, select, text

from adapters.sql import revocation_sync as revocation_feed
from adapters.sql.database import Database
from adapters.sql.revocation_sync import RevocationSync
from adapters.sql.revocations import RevocationsReadiness, SqlRevocations
from domain.errors import RevocationsUnavailable, StorageUnavailable
from tests.contracts.revocations import ALICE, BOB, NOON, ONE, token
from tests.support.worker_clock import WorkerClock


@pytest.fixture
def hand() -> WorkerClock:
    return WorkerClock()


@pytest.fixture
async def here(database: Database, hand: WorkerClock) -> SqlRevocations:
    revocations = hand.of_a_worker(database)
    await revocations.refresh()
    return revocations


async def test_a_look_that_fails_is_no_look_and_is_told(
    here: SqlRevocations,
    database: Database,
    admin_database: Database,
    hand: WorkerClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = RevocationSync(database, here)
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE revocations RENAME TO away"))
    hand.seconds = 31
    with pytest.raises(StorageUnavailable):
        await here.refresh()
    await feed.look()
    await feed.look()
    assert await RevocationsReadiness(here).problem() is not None
    with pytest.raises(RevocationsUnavailable):
        here.is_revoked(token())

    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO revocations"))
    await feed.look()
    assert not here.is_revoked(token())
    told = [line for line in caplog.messages if line.startswith("revocations can")]
    assert told == ["revocations can't be read: no token is accepted", "revocations can be read again"]


@asynccontextmanager
async def running(feed: RevocationSync) -> AsyncIterator[None]:
    await feed.prepare()
    task = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110  (another task's work, which tells nobody when it is done)
            await asyncio.sleep(0.01)


async def test_a_feed_learns_by_itself(database: Database, here: SqlRevocations, hand: WorkerClock) -> None:
    elsewhere = hand.of_a_worker(database)
    async with running(RevocationSync(database, elsewhere)):
        await here.revoke(ALICE, ONE, NOON)
        await here.revoke(BOB, None, NOON)
        await until(lambda: elsewhere.is_revoked(token()) and elsewhere.is_revoked(token(BOB)))


async def test_a_notification_wakes_a_feed_that_looks_seldom_also_after_its_listener_was_lost(
    database: Database, here: SqlRevocations, hand: WorkerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect == "sqlite":
        assert database.connect is None
        return
    monkeypatch.setattr(revocation_feed, "POLL_INTERVAL", 3600.0)
    monkeypatch.setattr(revocation_feed, "LISTEN_BACKOFF", 0.01)
    elsewhere = hand.of_a_worker(database)
    listeners = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"

    async def is_listening() -> bool:
        return bool((await database.read(text(listeners))).scalar_one())

    async with running(RevocationSync(database, elsewhere)), asyncio.timeout(20):
        for user in (ALICE, BOB):
            while not await is_listening():  # noqa: ASYNC110  (another session's state)
                await asyncio.sleep(0.01)
            await here.revoke(user, ONE, NOON)
            await until(lambda user=user: elsewhere.is_revoked(token(user)))  # type: ignore[misc]  # a lambda's default
            ended = select(func.pg_terminate_backend(text("pid"))).select_from(text("pg_stat_activity"))
            await database.read(ended.where(text("query LIKE 'LISTEN%'")))


async def test_where_nobody_can_listen_looking_alone_does_it_and_the_log_says_so(
    database: Database, here: SqlRevocations, hand: WorkerClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse() -> None:
        raise OSError

    elsewhere = hand.of_a_worker(database)
    async with running(RevocationSync(evolve(database, connect=refuse), elsewhere)):
        await until(lambda: "can't listen for revocations" in caplog.messages)
        await here.revoke(ALICE, ONE, NOON)
        await until(lambda: elsewhere.is_revoked(token()))


def test_who_can_not_listen_tries_ever_more_seldom() -> None:
    pauses = [revocation_feed.pause_after(failures) for failures in range(8)]
    assert pauses[:3] == [2, 4, 8]
    assert pauses == sorted(pauses)
    assert revocation_feed.pause_after(10_000) == revocation_feed.MAX_LISTEN_BACKOFF
