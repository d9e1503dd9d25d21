import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from adapters.sql import revocations
from adapters.sql.database import Database, connect
from adapters.sql.errors import DEADLINE
from adapters.sql.revocations import RevocationsReadiness, SqlRevocations
from adapters.sql.tables import revocations as table
from application.ports import Revocations
from domain.errors import RevocationsUnavailable, StorageUnavailable
from domain.identity import UserId
from tests.contracts.revocations import ALICE, BOB, NOON, ONE, OTHER, RevocationsContract, token
from tests.support.worker_clock import WEEK, WorkerClock


@pytest.fixture
def hand() -> WorkerClock:
    return WorkerClock()


@pytest.fixture
async def here(database: Database, hand: WorkerClock) -> SqlRevocations:
    revocations = hand.of_a_worker(database)
    await revocations.refresh()
    return revocations


@pytest.fixture
async def elsewhere(database: Database, hand: WorkerClock) -> SqlRevocations:
    """Another worker's."""
    revocations = hand.of_a_worker(database)
    await revocations.refresh()
    return revocations


class TestSqlRevocations(RevocationsContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def revocations(self, here: SqlRevocations) -> Revocations:
        return here


async def test_before_the_first_look_nothing_is_known(database: Database, hand: WorkerClock) -> None:
    with pytest.raises(RevocationsUnavailable):
        hand.of_a_worker(database).is_revoked(token())


async def test_another_worker_knows_after_its_next_look(here: SqlRevocations, elsewhere: SqlRevocations) -> None:
    for user, session in ((ALICE, ONE), (BOB, None)):
        await here.revoke(user, session, NOON)
        assert not elsewhere.is_revoked(token(user))
        await elsewhere.refresh()
        assert elsewhere.is_revoked(token(user))
    assert not elsewhere.is_revoked(token(session=OTHER))


async def test_a_later_instant_for_the_same_user_is_seen_elsewhere_too(
    here: SqlRevocations, elsewhere: SqlRevocations
) -> None:
    for hours in (0, 1):
        await here.revoke(ALICE, None, NOON + timedelta(hours=hours))
        await elsewhere.refresh()
        assert elsewhere.is_revoked(token(issued=3600 * hours))


async def test_an_earlier_instant_takes_nothing_back_for_one_that_starts_later(
    here: SqlRevocations, database: Database, hand: WorkerClock
) -> None:
    await here.revoke(ALICE, None, NOON + timedelta(hours=1))
    await here.revoke(ALICE, None, NOON)
    newcomer = hand.of_a_worker(database)
    await newcomer.refresh()
    assert newcomer.is_revoked(token(issued=3600))


async def recorded(database: Database, user: UserId) -> datetime:
    at: datetime = (await database.read(select(table.c.recorded_at).where(table.c.user_id == user))).scalar_one()
    return at


async def record(admin_database: Database, user: UserId, at: datetime) -> None:
    async with admin_database.writes.begin() as connection:
        await connection.execute(update(table).where(table.c.user_id == user).values(recorded_at=at))


async def test_what_ended_long_ago_and_ends_again_is_new(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database
) -> None:
    await here.revoke(BOB, ONE, NOON)
    await here.revoke(ALICE, None, NOON)
    await elsewhere.refresh()
    await record(admin_database, ALICE, await recorded(admin_database, BOB) - timedelta(hours=1))
    await here.revoke(ALICE, None, NOON + timedelta(hours=1))
    await elsewhere.refresh()
    assert elsewhere.is_revoked(token(issued=3600))


async def test_what_began_before_the_newest_and_ended_after_it_is_not_missed(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database
) -> None:
    await here.revoke(BOB, ONE, NOON)
    await elsewhere.refresh()
    await here.revoke(ALICE, ONE, NOON)
    await record(admin_database, ALICE, await recorded(admin_database, BOB) - timedelta(seconds=20))
    await elsewhere.refresh()
    assert elsewhere.is_revoked(token())


async def test_one_that_starts_later_knows_all_that_still_matters(
    here: SqlRevocations, database: Database, hand: WorkerClock
) -> None:
    await here.revoke(ALICE, ONE, NOON)
    hand.seconds = WEEK.total_seconds() - 1
    newcomer = hand.of_a_worker(database)
    await newcomer.refresh()
    assert newcomer.is_revoked(token())


async def test_what_concerns_no_living_token_goes(here: SqlRevocations, database: Database, hand: WorkerClock) -> None:
    await here.revoke(ALICE, ONE, NOON)
    hand.seconds = 1
    await here.revoke(BOB, ONE, NOON)
    hand.seconds = WEEK.total_seconds()
    assert await here.purge_expired() == 1
    async with database.writing() as connection:
        assert (await connection.execute(select(table.c.user_id))).scalars().all() == [BOB]
    await here.refresh()
    assert not here.is_revoked(token())
    assert here.is_revoked(token(BOB))


async def test_many_that_have_expired_go_part_by_part(
    here: SqlRevocations, hand: WorkerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "PURGE_BATCH", 2)
    for number in range(5):
        await here.revoke(UserId(f"user-{number}"), ONE, NOON)
    hand.seconds = WEEK.total_seconds()
    assert await here.purge_expired() == 5


async def revoke_unseen(here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database) -> None:
    """Revoke what the other worker's next look passes over, because the database's clock was set back."""
    await here.revoke(BOB, ONE, NOON)
    await elsewhere.refresh()
    await here.revoke(ALICE, ONE, NOON)
    async with admin_database.writes.begin() as connection:
        back = update(table).where(table.c.user_id == ALICE).values(recorded_at=NOON - timedelta(days=300))
        await connection.execute(back)


async def test_what_a_clock_that_was_set_back_hides_is_seen_within_a_minute(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database, hand: WorkerClock
) -> None:
    await revoke_unseen(here, elsewhere, admin_database)
    await elsewhere.refresh()
    assert not elsewhere.is_revoked(token())
    hand.seconds = revocations.FULL_REFRESH_INTERVAL
    await elsewhere.refresh()
    assert elsewhere.is_revoked(token())


async def test_a_look_at_everything_that_fails_is_not_put_off(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database, hand: WorkerClock
) -> None:
    await revoke_unseen(here, elsewhere, admin_database)
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE revocations RENAME TO away"))
    hand.seconds = revocations.FULL_REFRESH_INTERVAL
    with pytest.raises(StorageUnavailable):
        await elsewhere.refresh()
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO revocations"))
    hand.seconds += 1
    await elsewhere.refresh()
    assert elsewhere.is_revoked(token())


async def test_requests_that_hold_every_connection_keep_no_look_waiting(
    migrated_postgres_url: str, hand: WorkerClock
) -> None:
    database = connect(migrated_postgres_url)
    assert database.held is not None
    loop = asyncio.get_running_loop()
    lent = [
        (held, await held.acquire(loop.time() + DEADLINE))
        for held in (database.held.reads, database.held.writes)
        for _ in range(held.size)
    ]
    try:
        await hand.of_a_worker(database).refresh()
    finally:
        for held, connection in lent:
            held.release(connection)
        await database.dispose()


async def test_settling_takes_a_look_and_a_deadline(here: SqlRevocations, monkeypatch: pytest.MonkeyPatch) -> None:
    assert revocations.PROPAGATION_DELAY == revocations.POLL_INTERVAL + DEADLINE
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("adapters.sql.revocations.asyncio.sleep", wait)
    await here.wait_for_propagation()
    assert waited == [revocations.PROPAGATION_DELAY]


async def test_what_could_not_be_read_for_too_long_is_not_guessed_at(here: SqlRevocations, hand: WorkerClock) -> None:
    readiness = RevocationsReadiness(here)
    hand.seconds = 30
    assert not here.is_revoked(token())
    hand.seconds = 31
    with pytest.raises(RevocationsUnavailable):
        here.is_revoked(token())
    assert await readiness.problem() is None, "a probe looks once itself"
    assert not here.is_revoked(token())
