"""Revocations, stored in SQL and held in memory, so that no request queries them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from attrs import define, field
from sqlalchemy import Executable, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.database import Database
from adapters.sql.executors import delete_in_batches
from adapters.sql.revocation_reads import ALL_SESSIONS, PAGE, START, Key, RevocationReads, Watermark
from adapters.sql.tables import revocations
from domain.errors import RevocationsUnavailable
from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet, TokenLifetimes

CHANNEL: Final = "evo_todo_revocations"
"""PostgreSQL's channel for notifications of new revocations; they have no payload."""

FULL_READ_INTERVAL: Final = 60.0
"""Seconds between two reads of all rows: polls miss new rows after the database's clock was set back."""

FULL_READ_SHARE: Final = 0.05
"""The largest share of the time that is spent on them: with millions of rows they are further apart."""

POLL_INTERVAL: Final = 1.0
"""Seconds between two refreshes, with or without notifications."""

PURGE_BATCH: Final = 1000
"""Rows deleted in one transaction."""

_NOTIFY: Final = select(func.pg_notify(CHANNEL, ""))


def _now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class SqlRevocations:
    """The port's Revocations: the table, this worker's copy of it, and the notification of other workers.

    `refresh` and `read_all_if_due` must be called again and again; see RevocationSync.
    """

    _database: Database
    _lifetimes: TokenLifetimes
    _max_stale: float
    """Seconds without a successful refresh after which no token is accepted."""
    _now: Callable[[], datetime] = _now
    _monotonic: Callable[[], float] = time.monotonic
    _purge_batch: int = PURGE_BATCH
    _page: int = PAGE
    _reads: RevocationReads = field(init=False)
    _revoked: RevocationSet = field(init=False, factory=RevocationSet)
    _refreshing: asyncio.Lock = field(init=False, factory=asyncio.Lock)
    _refreshed_at: float = field(init=False, default=float("-inf"))
    _watermark: Watermark = field(init=False, factory=Watermark)
    _has_read_all: bool = field(init=False, default=False)
    _full_read_after: Key = field(init=False, default=START)
    """The last row of an interrupted read of all rows."""
    _full_read_due_at: float = field(init=False, default=float("-inf"))
    _has_left_out: bool = field(init=False, default=False)
    """Whether a poll has left out rows since the last read of all rows began."""

    @_reads.default
    def _reads_of_database(self) -> RevocationReads:
        return RevocationReads(self._database, self._page)

    @property
    def count(self) -> int:
        """How many are known here."""
        return len(self._revoked)

    @property
    def age(self) -> float:
        """Seconds since the last successful refresh; infinite before the first."""
        return self._monotonic() - self._refreshed_at

    @property
    def is_current(self) -> bool:
        """Whether the last successful refresh is recent enough to rely on."""
        return self._monotonic() - self._refreshed_at <= self._max_stale

    @property
    def is_refreshing(self) -> bool:
        """Whether a refresh is in progress; the first one reads all rows, which may take many seconds."""
        return self._refreshing.locked()

    def is_revoked(self, principal: Principal) -> bool:
        """See the port."""
        if self._monotonic() - self._refreshed_at > self._max_stale:  # `is_current`, without a call for each request
            raise RevocationsUnavailable
        return self._revoked.matches(principal)

    async def revoke(
        self, user_id: UserId, session_id: SessionId | None, at: datetime, token_lifetime: float | None = None
    ) -> None:
        """See the port."""
        revocation = Revocation(user_id, session_id, at, self._now() + self._lifetimes.retention(token_lifetime))
        self._revoked.add(revocation)
        row = {
            "user": user_id,
            "session": session_id or ALL_SESSIONS,
            "revoked": at,
            "expires": revocation.expires_at,
        }
        is_postgresql = self._database.dialect == "postgresql"
        async with self._database.upkeep_executor.transaction() as transaction:
            recorded = {} if is_postgresql else {"recorded": self._now()}
            await transaction.run(_upsert(self._database.dialect), row | recorded)
            if is_postgresql:
                await transaction.run(_NOTIFY, {})  # sent when this commits

    async def refresh(self) -> None:
        """Read the revocations since the last refresh; the first one reads all of them.

        Raises:
            StorageUnavailable: they can't be read now; a first refresh goes on where it stopped.
        """
        async with self._refreshing:
            if not self._has_read_all:
                await self._read_all()
            await self._read_new()

    async def read_all_if_due(self) -> None:
        """Read all revocations again if it is time; requests and refreshes go on meanwhile.

        Raises:
            StorageUnavailable: they can't be read now; the next call goes on where this one stopped.
        """
        if self.is_current and (self._has_left_out or self._monotonic() >= self._full_read_due_at):
            await self._read_all()

    async def purge_expired(self) -> int:
        """Delete expired revocations from memory and from the table; return how many rows there were.

        In the table they stay `event_tolerance` longer: the clock of another worker may be behind ours, or ours be set
        back.

        Raises:
            StorageUnavailable: they can't be deleted now.
        """
        now = self._now()
        for _ in self._revoked.purge_expired(now):
            await asyncio.sleep(0)
        key = tuple_(revocations.c.user_id, revocations.c.session_id)
        limit = now - timedelta(seconds=self._lifetimes.event_tolerance)
        expired = select(revocations.c.user_id, revocations.c.session_id)
        expired = expired.where(revocations.c.expires_at <= limit).limit(self._purge_batch)

        async def purge_batch() -> int:
            async with self._database.writing() as connection:
                return (await connection.execute(delete(revocations).where(key.in_(expired)))).rowcount

        return await delete_in_batches(purge_batch, self._purge_batch)

    async def _read_all(self) -> None:
        """Read all rows, page by page; after a failure, from the page that failed."""
        began = self._monotonic()
        if self._full_read_after == START:
            self._has_left_out = False
            clock = await self._reads.clock(self._now())
            if not self._has_read_all or self._watermark.is_ahead_of(clock):
                self._watermark = Watermark(clock, self._monotonic())
        async for rows in self._reads.pages(self._full_read_after):
            self._add(rows)
            self._full_read_after = rows[-1][0], rows[-1][1]
        self._full_read_after, self._has_read_all = START, True
        took = self._monotonic() - began
        self._full_read_due_at = began + max(FULL_READ_INTERVAL, took / FULL_READ_SHARE)

    async def _read_new(self) -> None:
        began, newest = self._monotonic(), None
        async for rows in self._reads.new_pages(self._watermark.after):
            self._add(rows)
            newest = rows[-1][4]
            self._has_left_out |= self._reads.is_cut(rows)
        self._watermark.polled(began, self._monotonic(), newest)
        self._refreshed_at = began

    def _add(self, rows: Sequence[Any]) -> None:
        now, add = self._now().timestamp(), self._revoked.add_fields
        for user_id, session_id, revoked_at, expires_at, *_ in rows:
            if expires_at + 1 > now:
                add(user_id, None if session_id == ALL_SESSIONS else session_id, revoked_at, expires_at + 1)


@cache
def _upsert(dialect: str) -> Executable:
    """Insert a row; if there is one already, keep the later of each date."""
    is_postgresql = dialect == "postgresql"
    insert: Any = (postgresql if is_postgresql else sqlite).insert(revocations)
    later = func.greatest if is_postgresql else func.max
    row = insert.values(
        user_id=bindparam("user"),
        session_id=bindparam("session"),
        revoked_at=bindparam("revoked"),
        expires_at=bindparam("expires"),
        recorded_at=func.clock_timestamp() if is_postgresql else bindparam("recorded"),
    )
    statement: Executable = row.on_conflict_do_update(
        index_elements=[revocations.c.user_id, revocations.c.session_id],
        set_={
            "revoked_at": later(revocations.c.revoked_at, row.excluded.revoked_at),
            "expires_at": later(revocations.c.expires_at, row.excluded.expires_at),
            "recorded_at": row.excluded.recorded_at,
        },
    )
    return statement
