"""Revocations, stored in SQL and held in memory, so that no request queries them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import define, field
from sqlalchemy import Executable, bindparam, delete, func, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.database import Database
from adapters.sql.executors import delete_in_batches
from adapters.sql.tables import revocations
from domain.errors import RevocationsUnavailable
from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet

CHANNEL: Final = "evo_todo_revocations"
"""PostgreSQL's channel for notifications of new revocations; they have no payload."""

LOOKBACK: Final = timedelta(seconds=30)
"""How far each refresh reaches back behind the newest row: a transaction that began earlier may commit later."""

FULL_REFRESH_INTERVAL: Final = 60.0
"""Seconds between two refreshes that read every row: the others miss new rows after the database's clock was set back.
"""

POLL_INTERVAL: Final = 1.0
"""Seconds between two refreshes, with or without notifications."""

PURGE_BATCH: Final = 1000
"""Rows deleted in one transaction."""

ALL_SESSIONS: Final = ""
"""Stored as the session id of a revocation of all sessions: no issuer has an empty one."""

_UNEXPIRED: Final = select(
    revocations.c.user_id,
    revocations.c.session_id,
    revocations.c.revoked_at,
    revocations.c.expires_at,
    revocations.c.recorded_at,
).where(revocations.c.expires_at > bindparam("now", type_=revocations.c.expires_at.type))
_NEW: Final = _UNEXPIRED.where(revocations.c.recorded_at >= bindparam("since", type_=revocations.c.recorded_at.type))


def _now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class SqlRevocations:
    """The port's Revocations: the table, this worker's copy of it, and the notification of other workers.

    `refresh` must be called again and again; see RevocationSync.
    """

    _database: Database
    _keep_for: timedelta
    """The longest lifetime of a token, and so how long a revocation is kept."""
    _max_stale: float
    """Seconds without a successful refresh after which no token is accepted."""
    _now: Callable[[], datetime] = _now
    _monotonic: Callable[[], float] = time.monotonic
    _purge_batch: int = PURGE_BATCH
    _revoked: RevocationSet = field(init=False, factory=RevocationSet)
    _newest: datetime | None = field(init=False, default=None)
    _refreshed_at: float = field(init=False, default=float("-inf"))
    _full_refresh_at: float = field(init=False, default=float("-inf"))

    @property
    def is_current(self) -> bool:
        """Whether the last successful refresh is recent enough to rely on."""
        return self._monotonic() - self._refreshed_at <= self._max_stale

    def is_revoked(self, principal: Principal) -> bool:
        """See the port."""
        if not self.is_current:
            raise RevocationsUnavailable
        return self._revoked.matches(principal)

    async def revoke(self, user_id: UserId, session_id: SessionId | None, at: datetime) -> None:
        """See the port."""
        revocation = Revocation(user_id, session_id, at, self._now() + self._keep_for)
        self._revoked.add(revocation)
        async with self._database.writing() as connection:
            await connection.execute(self._upsert(revocation))
            if self._database.dialect == "postgresql":
                await connection.execute(select(func.pg_notify(CHANNEL, "")))  # sent when this commits

    async def refresh(self) -> None:
        """Read the revocations since the last refresh; the first one, and one each minute, reads all of them.

        Raises:
            StorageUnavailable: they can't be read now.
        """
        began = self._monotonic()
        since = None if self._newest is None or began >= self._full_refresh_at else self._newest - LOOKBACK
        statement, parameters = _UNEXPIRED if since is None else _NEW, {"now": self._now(), "since": since}
        rows = await self._database.poll_executor.read(statement, parameters)
        for user_id, session_id, revoked_at, expires_at, recorded_at in rows:
            session = None if session_id == ALL_SESSIONS else session_id
            self._revoked.add(Revocation(user_id, session, revoked_at, expires_at))
            self._newest = max(self._newest or recorded_at, recorded_at)
        if since is None:  # only after success: a failed full refresh is repeated at once
            self._full_refresh_at = began + FULL_REFRESH_INTERVAL
        self._refreshed_at = began

    async def purge_expired(self) -> int:
        """Delete expired revocations from memory and from the table; return how many rows there were.

        Raises:
            StorageUnavailable: they can't be deleted now.
        """
        now = self._now()
        self._revoked.purge_expired(now)
        key = tuple_(revocations.c.user_id, revocations.c.session_id)
        expired = select(revocations.c.user_id, revocations.c.session_id)
        expired = expired.where(revocations.c.expires_at <= now).limit(self._purge_batch)

        async def purge_batch() -> int:
            async with self._database.writing() as connection:
                return (await connection.execute(delete(revocations).where(key.in_(expired)))).rowcount

        return await delete_in_batches(purge_batch, self._purge_batch)

    def _upsert(self, revocation: Revocation) -> Executable:
        """Insert the row; if there is one already, keep the later of each date."""
        is_postgresql = self._database.dialect == "postgresql"
        insert: Any = (postgresql if is_postgresql else sqlite).insert(revocations)
        later = func.greatest if is_postgresql else func.max
        now = func.clock_timestamp() if is_postgresql else literal(self._now(), revocations.c.recorded_at.type)
        row = insert.values(
            user_id=revocation.user_id,
            session_id=revocation.session_id or ALL_SESSIONS,
            revoked_at=revocation.revoked_at,
            expires_at=revocation.expires_at,
            recorded_at=now,
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
