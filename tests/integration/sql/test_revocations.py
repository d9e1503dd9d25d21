import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from adapters.sql import revocations
from adapters.sql.database import Database, connect
from adapters.sql.errors import DEADLINE
from adapters.sql.readiness import RevocationsReadiness
from adapters.sql.revocations import SqlRevocations
from adapters.sql.tables import revocations as table
from application.ports import Revocations
from domain.errors import RevocationsUnavailable, StorageUnavailable
from domain.identity import UserId
from tests.contracts.revocations import ALICE, BOB, NOON, ONE, OTHER, RevocationsContract, token
from tests.support.worker_clock import KEPT, LIFETIMES, WorkerClock


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


async def test_before_the_first_refresh_no_token_is_accepted(database: Database, hand: WorkerClock) -> None:
    with pytest.raises(RevocationsUnavailable):
        hand.of_a_worker(database).is_revoked(token())


async def test_another_worker_knows_after_its_next_refresh(here: SqlRevocations, elsewhere: SqlRevocations) -> None:
    for user, session in ((ALICE, ONE), (BOB, None)):
        await here.revoke(user, session, NOON)
        assert not elsewhere.is_revoked(token(user))
        await elsewhere.refresh()
        assert elsewhere.is_revoked(token(user))
    assert not elsewhere.is_revoked(token(session=OTHER))


async def test_a_later_instant_for_the_same_user_is_read_by_another_worker(
    here: SqlRevocations, elsewhere: SqlRevocations
) -> None:
    for hours in (0, 1):
        await here.revoke(ALICE, None, NOON + timedelta(hours=hours))
        await elsewhere.refresh()
        assert elsewhere.is_revoked(token(issued=3600 * hours))


async def test_an_earlier_instant_replaces_no_later_one_for_a_worker_that_starts_later(
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


async def test_a_user_who_is_revoked_again_is_read_again(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database
) -> None:
    await here.revoke(BOB, ONE, NOON)
    await here.revoke(ALICE, None, NOON)
    await elsewhere.refresh()
    await record(admin_database, ALICE, await recorded(admin_database, BOB) - timedelta(hours=1))
    await here.revoke(ALICE, None, NOON + timedelta(hours=1))
    await elsewhere.refresh()
    assert elsewhere.is_revoked(token(issued=3600))


async def test_a_transaction_that_began_before_the_newest_and_committed_after_it_is_not_missed(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database
) -> None:
    await here.revoke(BOB, ONE, NOON)
    await elsewhere.refresh()
    await here.revoke(ALICE, ONE, NOON)
    await record(admin_database, ALICE, await recorded(admin_database, BOB) - timedelta(seconds=20))
    await elsewhere.refresh()
    assert elsewhere.is_revoked(token())


async def test_a_worker_that_starts_later_reads_all_unexpired_revocations(
    here: SqlRevocations, database: Database, hand: WorkerClock
) -> None:
    await here.revoke(ALICE, ONE, NOON)
    hand.seconds = KEPT.total_seconds() - 1
    newcomer = hand.of_a_worker(database)
    await newcomer.refresh()
    assert newcomer.is_revoked(token())


async def test_expired_revocations_are_deleted(here: SqlRevocations, database: Database, hand: WorkerClock) -> None:
    await here.revoke(ALICE, ONE, NOON)
    hand.seconds = 2
    await here.revoke(BOB, ONE, NOON)
    hand.seconds = KEPT.total_seconds() + 1
    assert await here.purge_expired() == 0, "another worker's clock may be behind"
    await here.refresh()
    assert not here.is_revoked(token())
    hand.seconds += LIFETIMES.event_tolerance
    assert await here.purge_expired() == 1
    async with database.writing() as connection:
        assert (await connection.execute(select(table.c.user_id))).scalars().all() == [BOB]
    await here.refresh()
    assert not here.is_revoked(token())


async def test_many_expired_revocations_are_deleted_in_batches(database: Database, hand: WorkerClock) -> None:
    here = SqlRevocations(database, LIFETIMES, 30, hand.now, hand.monotonic, purge_batch=2)
    for number in range(5):
        await here.revoke(UserId(f"user-{number}"), ONE, NOON)
    hand.seconds = KEPT.total_seconds() + LIFETIMES.event_tolerance
    assert await here.purge_expired() == 5


async def revoke_unseen(here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database) -> None:
    """Revoke so that the other worker's next refresh misses it, because the database's clock was set back."""
    await here.revoke(BOB, ONE, NOON)
    await elsewhere.refresh()
    await here.revoke(ALICE, ONE, NOON)
    async with admin_database.writes.begin() as connection:
        back = update(table).where(table.c.user_id == ALICE).values(recorded_at=NOON - timedelta(days=300))
        await connection.execute(back)


async def test_a_revocation_recorded_by_a_clock_that_was_set_back_is_read_within_a_minute(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database, hand: WorkerClock
) -> None:
    await revoke_unseen(here, elsewhere, admin_database)
    await elsewhere.refresh()
    assert not elsewhere.is_revoked(token())
    hand.seconds = revocations.FULL_READ_INTERVAL
    await elsewhere.refresh()
    await elsewhere.read_all_if_due()
    assert elsewhere.is_revoked(token())


async def test_a_failed_full_refresh_is_repeated_at_once(
    here: SqlRevocations, elsewhere: SqlRevocations, admin_database: Database, hand: WorkerClock
) -> None:
    await revoke_unseen(here, elsewhere, admin_database)
    hand.seconds = revocations.FULL_READ_INTERVAL
    await elsewhere.refresh()
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE revocations RENAME TO away"))
    with pytest.raises(StorageUnavailable):
        await elsewhere.read_all_if_due()
    async with admin_database.writes.begin() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO revocations"))
    hand.seconds += 1
    await elsewhere.refresh()
    await elsewhere.read_all_if_due()
    assert elsewhere.is_revoked(token())


async def test_requests_that_use_every_connection_keep_no_poll_waiting(
    migrated_postgres_url: str, hand: WorkerClock
) -> None:
    database = connect(migrated_postgres_url)
    assert database.asyncpg_executor is not None
    loop = asyncio.get_running_loop()
    lent = [
        (pool, await pool.acquire(loop.time() + DEADLINE))
        for pool in (database.asyncpg_executor.reads, database.asyncpg_executor.writes)
        for _ in range(pool.size)
    ]
    try:
        await hand.of_a_worker(database).refresh()
    finally:
        for pool, connection in lent:
            pool.release(connection)
        await database.dispose()


async def test_without_a_recent_refresh_no_token_is_accepted(here: SqlRevocations, hand: WorkerClock) -> None:
    readiness = RevocationsReadiness(here)
    hand.seconds = 30
    assert not here.is_revoked(token())
    hand.seconds = 31
    with pytest.raises(RevocationsUnavailable):
        here.is_revoked(token())
    assert await readiness.problem() is None, "the check itself refreshes once"
    assert not here.is_revoked(token())
