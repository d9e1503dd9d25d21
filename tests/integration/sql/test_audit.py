import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from attrs import evolve, field, frozen
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.audit import SqlAuditLog, SqlAuditTrail
from adapters.sql.database import Database
from adapters.sql.retention import AuditRetention
from adapters.system.clock_and_ids import UuidV7Generator
from application.background import Backoff
from domain.errors import StorageUnavailable
from domain.task import TaskId
from tests.contracts.audit_logs import NOON, AuditContract, Flush, event


@pytest.fixture
def log(database: Database) -> SqlAuditLog:
    return SqlAuditLog(database, UuidV7Generator())


@pytest.fixture
def trail(database: Database) -> SqlAuditTrail:
    return SqlAuditTrail(database)


class TestSqlAudit(AuditContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def flush(self, log: SqlAuditLog) -> Flush:
        return log.write_waiting


async def rename(database: Database, table: str, to: str) -> None:
    async with database.writes.begin() as connection:
        await connection.execute(text(f"ALTER TABLE {table} RENAME TO {to}"))


async def reasons(trail: SqlAuditTrail) -> list[str | None]:
    return [one.reason async for one in trail.read()]


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110  (another task's work, which sends no signal)
            await asyncio.sleep(0.01)


async def test_events_are_written_in_the_background_and_the_rest_at_the_end(
    log: SqlAuditLog, trail: SqlAuditTrail
) -> None:
    task = asyncio.create_task(log.run())
    log.record(event(reason="first"))
    async with asyncio.timeout(20):
        while await reasons(trail) != ["first"]:  # noqa: ASYNC110  (another task's work)
            await asyncio.sleep(0.01)
    log.record(event(1, reason="last"))
    await ended(task)
    assert await reasons(trail) == ["first", "last"]


async def test_while_the_database_is_unavailable_events_wait_in_order(
    log: SqlAuditLog, trail: SqlAuditTrail, admin_database: Database
) -> None:
    await rename(admin_database, "audit_events", "away")
    for number in range(3):
        log.record(event(number, reason=str(number)))
    with pytest.raises(StorageUnavailable):
        await log.write_waiting()
    await rename(admin_database, "away", "audit_events")
    await log.write_waiting()
    assert await reasons(trail) == ["0", "1", "2"]


@frozen
class LosesFirstCommit(Database):
    """The result of the first commit is lost on its way."""

    commits: list[bool] = field(init=False, factory=list)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        async with Database.writing(self) as connection:
            yield connection
        self.commits.append(True)
        if len(self.commits) == 1:
            raise StorageUnavailable


async def test_events_whose_commit_was_not_confirmed_are_stored_once(database: Database, trail: SqlAuditTrail) -> None:
    log = SqlAuditLog(LosesFirstCommit(database.reads, database.writes), UuidV7Generator())
    for number in range(2):
        log.record(event(number, reason=str(number)))
    with pytest.raises(StorageUnavailable):
        await log.write_waiting()
    log.record(event(2, reason="2"))
    await log.write_waiting()
    assert await reasons(trail) == ["0", "1", "2"]


async def test_while_the_database_is_unavailable_attempts_back_off_and_a_success_resets_that(
    database: Database, trail: SqlAuditTrail, admin_database: Database
) -> None:
    backoff = Backoff(0.01, 0.02)
    log = SqlAuditLog(database, UuidV7Generator(), backoff=backoff)
    await rename(admin_database, "audit_events", "away")
    task = asyncio.create_task(log.run())
    log.record(event(reason="late"))
    await until(lambda: backoff.failures > 2)
    await rename(admin_database, "away", "audit_events")
    await until(lambda: backoff.failures == 0)
    await ended(task)
    assert await reasons(trail) == ["late"]


async def test_attempts_to_write_are_5_seconds_apart_at_most_before_jitter(log: SqlAuditLog) -> None:
    assert (log._backoff.first, log._backoff.maximum) == (0.2, 5)


async def test_events_beyond_the_queues_limit_are_dropped_counted_and_logged(
    database: Database, trail: SqlAuditTrail, caplog: pytest.LogCaptureFixture
) -> None:
    log = SqlAuditLog(database, UuidV7Generator(), max_waiting=2)
    for number in range(5):
        log.record(event(number, reason=str(number)))
    task = asyncio.create_task(log.run())
    await until(lambda: "audit events were dropped" in caplog.messages)
    await ended(task)
    assert [record.dropped for record in caplog.records if "dropped" in record.message] == [3]  # type: ignore[attr-defined]
    assert await reasons(trail) == ["0", "1"]


async def test_events_that_can_not_be_written_at_the_end_are_counted_and_logged(
    log: SqlAuditLog, admin_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await rename(admin_database, "audit_events", "away")
    task = asyncio.create_task(log.run())
    log.record(event())
    await asyncio.sleep(0)
    await ended(task)
    await rename(admin_database, "away", "audit_events")
    assert [record.dropped for record in caplog.records if "dropped" in record.message] == [1]  # type: ignore[attr-defined]


@frozen
class ConstantId:
    def next(self, at: datetime) -> TaskId:
        del at
        return TaskId(UUID(int=1))


async def test_events_that_the_database_rejects_do_not_block_the_queue(
    database: Database, log: SqlAuditLog, trail: SqlAuditTrail, caplog: pytest.LogCaptureFixture
) -> None:
    rejected = SqlAuditLog(database, ConstantId())
    rejected.record(evolve(event(reason="rejected: it has no time"), at=None))  # type: ignore[arg-type]  # so it is rejected
    await rejected.write_waiting()
    log.record(event(1, reason="good"))
    await log.write_waiting()
    assert await reasons(trail) == ["good"]
    assert "audit events can't be written" in caplog.messages


async def test_events_older_than_the_retention_period_are_deleted_regularly(
    log: SqlAuditLog, trail: SqlAuditTrail
) -> None:
    log.record(event(-1, reason="old"))
    log.record(event(0, reason="new"))
    await log.write_waiting()

    def now() -> datetime:
        return NOON + timedelta(days=90)

    task = asyncio.create_task(AuditRetention(trail, timedelta(days=90), now, 0.01).run())
    async with asyncio.timeout(20):
        while await reasons(trail) != ["new"]:  # noqa: ASYNC110  (another task's work)
            await asyncio.sleep(0.01)
    await ended(task)
