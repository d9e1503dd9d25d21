"""Millions of living revocations: what they cost a worker while it starts, refreshes, and deletes expired ones."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil
from attrs import define
from sqlalchemy import text

from adapters.sql.database import connect
from adapters.sql.revocation_sync import RevocationSync
from adapters.sql.revocations import SqlRevocations
from benchmarks.servers import migrate
from benchmarks.world import SERVICE, world
from domain.errors import RevocationsUnavailable
from domain.identity import Principal, SessionId, UserId
from domain.revocation import TokenLifetimes
from entrypoints.asgi import freeze_startup_objects

ROWS: Final = 2_000_000
SQLITE_ROWS: Final = 300_000
_MAX_STALE: Final = 30.0
_LIFE: Final = timedelta(days=7)

_FILL_POSTGRESQL: Final = """
INSERT INTO revocations (user_id, session_id, revoked_at, expires_at, recorded_at)
SELECT md5('u' || n), md5('s' || n), now(), now() + interval '7 days', now() - interval '1 hour' + n * interval '1 us'
FROM generate_series(1, {rows}) n
"""
_FILL_SQLITE: Final = """
INSERT INTO revocations (user_id, session_id, revoked_at, expires_at, recorded_at)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
SELECT lower(hex(randomblob(16))), lower(hex(randomblob(16))), '{now}', '{expiry}', '{now}' FROM numbers
"""


def attack(rows: int = ROWS, sqlite_rows: int = SQLITE_ROWS) -> dict[str, str]:
    """Measure on PostgreSQL and on SQLite; a turn of the event loop is measured in its own processor time.

    The processor time includes that of the measurement, which runs in every turn.
    """
    found: dict[str, str] = {}
    with world() as made, TemporaryDirectory() as folder:
        migrate(made)
        asyncio.run(made.execute(_FILL_POSTGRESQL.format(rows=rows)))
        asyncio.run(made.execute("VACUUM ANALYZE revocations"))
        found |= asyncio.run(_measure("PostgreSQL", made.database(SERVICE), rows))
        url = f"sqlite:///{Path(folder) / 'tasks.db'}"
        migrate(made, url)
        asyncio.run(_fill_sqlite(url, sqlite_rows))
        found |= asyncio.run(_measure("SQLite", url, sqlite_rows))
    return found


async def _fill_sqlite(url: str, rows: int) -> None:
    now, form = datetime.now(UTC), "%Y-%m-%d %H:%M:%S.%f"
    filled = _FILL_SQLITE.format(rows=rows, now=now.strftime(form), expiry=(now + _LIFE).strftime(form))
    database = connect(url)
    async with database.writes.begin() as connection:
        await connection.execute(text(filled))
    await database.dispose()


@define
class _Later:
    """The clocks of a worker, which can be put forward."""

    seconds: float = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds


@define
class _Turns:
    """The longest turn of the event loop, in seconds of its thread's processor time."""

    longest: float = 0
    last: float = 0

    @contextmanager
    def watched(self) -> Generator[None]:
        loop, is_over = asyncio.get_running_loop(), False
        self.longest, self.last = 0, time.thread_time()

        def turn() -> None:
            self.end()
            if not is_over:
                loop.call_soon(turn)

        loop.call_soon(turn)
        try:
            yield
        finally:
            self.end()
            is_over = True

    def end(self) -> None:
        """A turn has ended."""
        now = time.thread_time()
        self.longest, self.last = max(self.longest, now - self.last), now


async def _measure(name: str, url: str, rows: int) -> dict[str, str]:
    database, clock, turns = connect(url), _Later(), _Turns()
    revocations = SqlRevocations(database, TokenLifetimes(), _MAX_STALE, clock.now, clock.monotonic)
    found: dict[str, str] = {}

    async def step(what: str, action: Callable[[], Awaitable[object]]) -> None:
        began, used = time.monotonic(), time.thread_time()
        with turns.watched():
            await action()
        took, used = time.monotonic() - began, time.thread_time() - used
        found[f"{name}, {rows} rows: {what}"] = (
            f"{took:.1f} s, {used:.1f} s of processor time, longest turn {turns.longest * 1000:.1f} ms"
        )

    freeze_startup_objects()  # as `serve` does
    before = psutil.Process().memory_info().rss
    try:
        await step("start until tokens are accepted", lambda: _start(revocations))
        await step("refresh", revocations.refresh)
        clock.seconds += 3600
        await revocations.refresh()
        await step("read all again", revocations.read_all_if_due)
        await revocations.refresh()
        held = (psutil.Process().memory_info().rss - before) / rows
        found[f"{name}, {rows} rows: memory"] = f"{held:.0f} bytes a row"
        found[f"{name}, {rows} rows: one check"] = f"{_check(revocations):.2f} us"
        clock.seconds += 8 * 86400
        await step("delete all, expired", revocations.purge_expired)
    finally:
        await database.dispose()
    return found


async def _start(revocations: SqlRevocations) -> None:
    sync = RevocationSync(revocations)
    await sync.prepare()
    while not revocations.is_current:
        await sync.refresh()


def _check(revocations: SqlRevocations, times: int = 100_000) -> float:
    """Microseconds that a request waits for the answer."""
    principal = Principal(UserId("u" * 32), SessionId("s" * 32), time.time())
    began = time.thread_time()
    for _ in range(times):
        if revocations.is_revoked(principal):
            raise RevocationsUnavailable
    return (time.thread_time() - began) / times * 1e6
