"""What was revoked: kept in the database, and known by heart, so that a request never has to ask."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import define, field
from sqlalchemy import Executable, bindparam, delete, func, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.database import Database
from adapters.sql.errors import DEADLINE
from adapters.sql.tables import revocations
from domain.errors import RevocationsUnavailable, StorageUnavailable
from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet

CHANNEL: Final = "evo_todo_revocations"
"""What PostgreSQL notifies when there is a new one; it says no more than "look"."""

LOOKBACK: Final = timedelta(seconds=30)
"""How far each look reaches back behind the newest row: a transaction that began earlier may end later."""

FULL_REFRESH_INTERVAL: Final = 60.0
"""Seconds between two looks at everything: a database's clock that was set back hides what is new from the others."""

POLL_INTERVAL: Final = 1.0
"""Seconds between two looks. The floor: it holds whether or not anybody calls."""

PROPAGATION_DELAY: Final = POLL_INTERVAL + DEADLINE
"""Seconds after which every worker has looked, and what it let in before that is done or has given up."""

PURGE_BATCH: Final = 1000
"""Rows that go in one transaction."""

ALL_SESSIONS: Final = ""
"""In the column of session ids: no issuer has an empty one."""

_LIVING: Final = select(
    revocations.c.user_id,
    revocations.c.session_id,
    revocations.c.revoked_at,
    revocations.c.expires_at,
    revocations.c.recorded_at,
).where(revocations.c.expires_at > bindparam("now", type_=revocations.c.expires_at.type))
_NEW: Final = _LIVING.where(revocations.c.recorded_at >= bindparam("since", type_=revocations.c.recorded_at.type))


def _now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class SqlRevocations:
    """The port's Revocations. `refresh` must be called again and again; see `RevocationSync`."""

    _database: Database
    _keep_for: timedelta
    """How long a token can live at most: so long is each remembered."""
    _max_stale: float
    """Seconds without a successful look after which nothing is known."""
    _now: Callable[[], datetime] = _now
    _monotonic: Callable[[], float] = time.monotonic
    _revoked: RevocationSet = field(init=False, factory=RevocationSet)
    _newest: datetime | None = field(init=False, default=None)
    _read_at: float = field(init=False, default=float("-inf"))
    _all_again_at: float = field(init=False, default=float("-inf"))

    @property
    def is_current(self) -> bool:
        """Whether what is known here is new enough to go by."""
        return self._monotonic() - self._read_at <= self._max_stale

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
            await connection.execute(self._kept(revocation))
            if self._database.dialect == "postgresql":
                await connection.execute(select(func.pg_notify(CHANNEL, "")))  # sent when this commits

    async def wait_for_propagation(self) -> None:
        """See the port."""
        await asyncio.sleep(PROPAGATION_DELAY)

    async def refresh(self) -> None:
        """Learn what was revoked elsewhere since the last look; the first, and one each minute, learns all of it.

        Raises:
            StorageUnavailable: it can't be read now.
        """
        began = self._monotonic()
        since = None if self._newest is None or began >= self._all_again_at else self._newest - LOOKBACK
        wanted, parameters = _LIVING if since is None else _NEW, {"now": self._now(), "since": since}
        rows = await self._database.looking.read(wanted, parameters)
        for user_id, session_id, revoked_at, expires_at, recorded_at in rows:
            session = None if session_id == ALL_SESSIONS else session_id
            self._revoked.add(Revocation(user_id, session, revoked_at, expires_at))
            self._newest = max(self._newest or recorded_at, recorded_at)
        if since is None:  # one that failed is not put off for a minute
            self._all_again_at = began + FULL_REFRESH_INTERVAL
        self._read_at = began

    async def purge_expired(self) -> int:
        """Drop those that concern no living token, here and in the database; how many rows that were.

        Raises:
            StorageUnavailable: they can't be dropped now.
        """
        now = self._now()
        self._revoked.purge_expired(now)
        key = tuple_(revocations.c.user_id, revocations.c.session_id)
        some = select(revocations.c.user_id, revocations.c.session_id)
        some = some.where(revocations.c.expires_at <= now).limit(PURGE_BATCH)
        forgotten = 0
        while True:
            async with self._database.writing() as connection:
                gone = (await connection.execute(delete(revocations).where(key.in_(some)))).rowcount
            forgotten += gone
            if gone < PURGE_BATCH:
                return forgotten

    def _kept(self, revocation: Revocation) -> Executable:
        """The row; where there is one already, the later of each date counts."""
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


@define
class RevocationsReadiness:
    """Whether what was revoked is known here."""

    _revocations: SqlRevocations
    name: str = "revocations"

    async def problem(self) -> str | None:
        """See the port."""
        if self._revocations.is_current:
            return None
        try:
            await self._revocations.refresh()
        except StorageUnavailable:
            return "what was revoked could not be read for too long: see database"
        return None
