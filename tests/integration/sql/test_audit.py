import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from attrs import evolve, frozen
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql import audit
from adapters.sql.audit import AuditRetention, SqlAuditLog, SqlAuditTrail
from adapters.sql.database import Database
from adapters.system.clock_and_ids import UuidV7Generator
from domain.errors import StorageUnavailable
from domain.task import TaskId
from tests.contracts.audit_logs import NOON, AuditContract, Settling, event


@pytest.fixture
def log(database: Database) -> SqlAuditLog:
    return SqlAuditLog(database, UuidV7Generator())


@pytest.fixture
def trail(database: Database) -> SqlAuditTrail:
    return SqlAuditTrail(database)


class TestSqlAudit(AuditContract):
    """On PostgreSQL and on SQLite."""

    @pytest.fixture
    def settle(self, log: SqlAuditLog) -> Settling:
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
        while not check():  # noqa: ASYNC110  (another task's work, which tells nobody when it is done)
            await asyncio.sleep(0.01)


async def test_what_was_recorded_is_written_by_itself_and_the_rest_at_the_end(
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


async def test_while_the_database_is_away_events_wait_for_it_in_order(
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


async def test_what_was_written_though_nobody_heard_so_is_there_once(
    log: SqlAuditLog, trail: SqlAuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Database.writing

    @asynccontextmanager
    async def losing_the_answer(self: Database) -> AsyncIterator[AsyncConnection]:
        async with whole(self) as connection:
            yield connection
        raise StorageUnavailable

    for number in range(2):
        log.record(event(number, reason=str(number)))
    monkeypatch.setattr(Database, "writing", losing_the_answer)
    with pytest.raises(StorageUnavailable):
        await log.write_waiting()
    monkeypatch.undo()
    log.record(event(2, reason="2"))
    await log.write_waiting()
    assert await reasons(trail) == ["0", "1", "2"]


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.2), (3, 0.8), (9, 5), (100_000, 5)])
def test_it_tries_ever_more_seldom_but_for_ever(failures: int, seconds: float) -> None:
    assert audit.pause_after(failures) == pytest.approx(seconds)


async def test_more_than_the_queue_holds_is_dropped_counted_and_told(
    log: SqlAuditLog, trail: SqlAuditTrail, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "MAX_WAITING", 2)
    for number in range(5):
        log.record(event(number, reason=str(number)))
    task = asyncio.create_task(log.run())
    await until(lambda: "audit events were dropped" in caplog.messages)
    await ended(task)
    assert [record.dropped for record in caplog.records if "dropped" in record.message] == [3]  # type: ignore[attr-defined]
    assert await reasons(trail) == ["0", "1"]


async def test_what_can_not_be_written_at_the_end_is_told(
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
class OneIdForAll:
    def next(self, at: datetime) -> TaskId:
        del at
        return TaskId(UUID(int=1))


async def test_what_the_database_refuses_for_good_holds_up_nothing(
    database: Database, log: SqlAuditLog, trail: SqlAuditTrail, caplog: pytest.LogCaptureFixture
) -> None:
    clumsy = SqlAuditLog(database, OneIdForAll())
    clumsy.record(evolve(event(reason="refused: it has no time"), at=None))  # type: ignore[arg-type]  # so it is refused
    await clumsy.write_waiting()
    log.record(event(1, reason="good"))
    await log.write_waiting()
    assert await reasons(trail) == ["good"]
    assert "audit events can't be written" in caplog.messages


async def test_an_hourly_turn_takes_away_what_is_older_than_it_has_to_be(
    log: SqlAuditLog, trail: SqlAuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PURGE_INTERVAL", 0.01)
    log.record(event(-1, reason="old"))
    log.record(event(0, reason="new"))
    await log.write_waiting()

    def now() -> datetime:
        return NOON + timedelta(days=90)

    task = asyncio.create_task(AuditRetention(trail, timedelta(days=90), now).run())
    async with asyncio.timeout(20):
        while await reasons(trail) != ["new"]:  # noqa: ASYNC110  (another task's work)
            await asyncio.sleep(0.01)
    await ended(task)
