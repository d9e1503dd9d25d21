import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from attrs import define
from sqlalchemy import func, select, text, update

from adapters.sql import revocation_feed, revocations
from adapters.sql.availability import DEADLINE
from adapters.sql.database import Database
from adapters.sql.revocation_feed import RevocationFeed
from adapters.sql.revocations import RevocationsReadiness, SqlRevocations
from adapters.sql.tables import revocations as table
from application.ports import Revocations
from domain.errors import RevocationsUnavailable, StorageUnavailable
from domain.identity import UserId
from tests.contracts.revocations import ALICE, BOB, NOON, ONE, OTHER, RevocationsContract, token

WEEK = timedelta(days=7)


@define
class Hand:
    """A clock for the wall and one that only counts, both set by hand."""

    seconds: float = 0

    def monotonic(self) -> float:
        return self.seconds

    def of_a_worker(self, database: Database) -> SqlRevocations:
        return SqlRevocations(
            database, WEEK, 30, lambda: NOON + timedelta(seconds=self.seconds), monotonic=self.monotonic
        )


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def here(database: Database, hand: Hand) -> SqlRevocations:
    revocations = hand.of_a_worker(database)
    await revocations.read_new()
    return revocations


@pytest.fixture
async def elsewhere(database: Database, hand: Hand) -> SqlRevocations:
    """Another worker's."""
    revocations = hand.of_a_worker(database)
    await revocations.read_new()
    return revocations


class TestSqlRevocations(RevocationsContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def revocations(self, here: SqlRevocations) -> Revocations:
        return here


async def test_before_the_first_look_nothing_is_known(database: Database, hand: Hand) -> None:
    with pytest.raises(RevocationsUnavailable):
        hand.of_a_worker(database).is_revoked(token())


async def test_another_worker_knows_after_its_next_look(here: SqlRevocations, elsewhere: SqlRevocations) -> None:
    for user, session in ((ALICE, ONE), (BOB, None)):
        await here.revoke(user, session, NOON)
        assert not elsewhere.is_revoked(token(user))
        await elsewhere.read_new()
        assert elsewhere.is_revoked(token(user))
    assert not elsewhere.is_revoked(token(session=OTHER))


async def test_a_later_instant_for_the_same_user_is_seen_elsewhere_too(
    here: SqlRevocations, elsewhere: SqlRevocations
) -> None:
    for hours in (0, 1):
        await here.revoke(ALICE, None, NOON + timedelta(hours=hours))
        await elsewhere.read_new()
        assert elsewhere.is_revoked(token(issued=3600 * hours))


async def test_one_that_starts_later_knows_all_that_still_matters(
    here: SqlRevocations, database: Database, hand: Hand
) -> None:
    await here.revoke(ALICE, ONE, NOON)
    hand.seconds = WEEK.total_seconds() - 1
    newcomer = hand.of_a_worker(database)
    await newcomer.read_new()
    assert newcomer.is_revoked(token())


async def test_what_concerns_no_living_token_goes(here: SqlRevocations, database: Database, hand: Hand) -> None:
    await here.revoke(ALICE, ONE, NOON)
    hand.seconds = 1
    await here.revoke(BOB, ONE, NOON)
    hand.seconds = WEEK.total_seconds()
    assert await here.forget_expired() == 1
    async with database.writing() as connection:
        assert (await connection.execute(select(table.c.user_id))).scalars().all() == [BOB]
    await here.read_new()
    assert not here.is_revoked(token())
    assert here.is_revoked(token(BOB))


async def test_many_that_have_expired_go_part_by_part(
    here: SqlRevocations, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "FORGOTTEN_AT_ONCE", 2)
    for number in range(5):
        await here.revoke(UserId(f"user-{number}"), ONE, NOON)
    hand.seconds = WEEK.total_seconds()
    assert await here.forget_expired() == 5


async def test_what_a_clock_that_was_set_back_hides_is_seen_within_a_minute(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database, hand: Hand
) -> None:
    await here.revoke(BOB, ONE, NOON)
    await elsewhere.read_new()
    await here.revoke(ALICE, ONE, NOON)
    async with admin_database.writes.begin() as connection:
        back = update(table).where(table.c.user_id == ALICE).values(recorded_at=NOON - timedelta(days=300))
        await connection.execute(back)
    await elsewhere.read_new()
    assert not elsewhere.is_revoked(token())
    hand.seconds = revocations.ALL_AGAIN
    await elsewhere.read_new()
    assert elsewhere.is_revoked(token())


async def test_settling_takes_a_look_and_a_deadline(here: SqlRevocations, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revocations.SETTLED == revocations.LOOK_EVERY + DEADLINE
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("adapters.sql.revocations.asyncio.sleep", wait)
    await here.settle()
    assert waited == [revocations.SETTLED]


async def test_what_could_not_be_read_for_too_long_is_not_guessed_at(here: SqlRevocations, hand: Hand) -> None:
    readiness = RevocationsReadiness(here)
    hand.seconds = 30
    assert not here.is_revoked(token())
    hand.seconds = 31
    with pytest.raises(RevocationsUnavailable):
        here.is_revoked(token())
    assert await readiness.problem() is None, "a probe looks once itself"
    assert not here.is_revoked(token())


async def test_a_look_that_fails_is_no_look_and_is_told(
    here: SqlRevocations,
    database: Database,
    admin_database: Database,
    hand: Hand,
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = RevocationFeed(database, here)
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE revocations RENAME TO away"))
    hand.seconds = 31
    with pytest.raises(StorageUnavailable):
        await here.read_new()
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
async def running(feed: RevocationFeed) -> AsyncIterator[None]:
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


async def test_a_feed_learns_by_itself(database: Database, here: SqlRevocations, hand: Hand) -> None:
    elsewhere = hand.of_a_worker(database)
    async with running(RevocationFeed(database, elsewhere)):
        await here.revoke(ALICE, ONE, NOON)
        await here.revoke(BOB, None, NOON)
        await until(lambda: elsewhere.is_revoked(token()) and elsewhere.is_revoked(token(BOB)))


async def test_a_notification_wakes_a_feed_that_looks_seldom_also_after_its_listener_was_lost(
    database: Database, here: SqlRevocations, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect == "sqlite":
        assert database.connect is None
        return
    monkeypatch.setattr(revocation_feed, "LOOK_EVERY", 3600.0)
    monkeypatch.setattr(revocation_feed, "LISTEN_AGAIN", 0.01)
    elsewhere = hand.of_a_worker(database)
    listeners = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"

    async def is_listening() -> bool:
        return bool((await database.read(text(listeners))).scalar_one())

    async with running(RevocationFeed(database, elsewhere)), asyncio.timeout(20):
        for user in (ALICE, BOB):
            while not await is_listening():  # noqa: ASYNC110  (another session's state)
                await asyncio.sleep(0.01)
            await here.revoke(user, ONE, NOON)
            await until(lambda user=user: elsewhere.is_revoked(token(user)))  # type: ignore[misc]  # a lambda's default
            ended = select(func.pg_terminate_backend(text("pid"))).select_from(text("pg_stat_activity"))
            await database.read(ended.where(text("query LIKE 'LISTEN%'")))
