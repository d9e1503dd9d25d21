"""The audit log's table: rows are added and, when they are old, taken away; none is ever changed."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import define, field, frozen
from sqlalchemy import Row, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.database import Database
from adapters.sql.tables import audit_events
from application.ports import IdGenerator
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.errors import StorageUnavailable
from domain.identity import UserId

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 10_000
"""Events that wait to be written; what comes on top is dropped, counted and details."""
BATCH: Final = 500
"""Rows written, read, or taken away at once."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds that what waits is given at the end."""
MAX_BACKOFF: Final = 5.0
"""Seconds between two tries while the database is away."""
PURGE_INTERVAL: Final = 3600.0
"""Seconds between two removals of what is too old; any worker may do it."""


def pause_after(failures: int) -> float:
    """Seconds until the next try, after so many failures in a row."""
    return min(MAX_BACKOFF, 0.1 * 2.0 ** min(failures, 10))


@define(eq=False)
class SqlAuditLog:
    """The port's AuditLog: `record` puts an event into a queue, `run` writes what is there."""

    _database: Database
    _ids: IdGenerator
    _waiting: deque[dict[str, Any]] = field(init=False, factory=deque)
    """Rows, each with its id: one that is written twice, because the answer to a commit was lost, stands there once."""
    _some: asyncio.Event = field(init=False, factory=asyncio.Event)
    _dropped: int = field(init=False, default=0)

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(self._row(event))
        self._some.set()

    async def prepare(self) -> None:
        """Nothing is needed before the first request."""

    async def run(self) -> None:
        """Write until cancelled; then write what is left, as far as a second goes."""
        try:
            await self._keep_writing()
        finally:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.write_waiting()
            except (TimeoutError, StorageUnavailable):
                self._dropped += len(self._waiting)
            self._tell_dropped()

    async def write_waiting(self) -> None:
        """Write everything that waits.

        Raises:
            StorageUnavailable: the database is away; what was not written waits on.
        """
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._write(batch)
            except (StorageUnavailable, asyncio.CancelledError):
                self._waiting.extendleft(reversed(batch))
                raise
            except SQLAlchemyError as error:
                # Not to be mended by trying again: the others must not wait behind these for ever.
                self._dropped += len(batch)
                logger.error("audit events can't be written", extra={"error": type(error).__name__})  # noqa: TRY400  (without the rows)

    async def _keep_writing(self) -> None:
        failures = 0
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self.write_waiting()
                failures = 0
            except StorageUnavailable:
                failures += 1
                self._some.set()
                await asyncio.sleep(pause_after(failures))
            self._tell_dropped()

    async def _write(self, batch: list[dict[str, Any]]) -> None:
        insert: Any = (postgresql if self._database.dialect == "postgresql" else sqlite).insert(audit_events)
        async with self._database.writing() as connection:
            await connection.execute(insert.on_conflict_do_nothing(), batch)

    def _row(self, event: AuditEvent) -> dict[str, Any]:
        context = event.context
        return {
            "id": self._ids.next(event.at),
            "at": event.at,
            "kind": event.kind.value,
            "user_id": event.user_id,
            "session_id": event.session_id,
            "request_id": context.request_id if context else None,
            "peer": context.peer[:64] if context and context.peer else None,
            "reason": event.reason[:255] if event.reason else None,
            "token_digest": event.token_digest,
        }

    def _tell_dropped(self) -> None:
        if self._dropped:
            logger.error("audit events were dropped", extra={"dropped": self._dropped})
            self._dropped = 0


@frozen
class SqlAuditTrail:
    """The port's AuditTrail, from that table."""

    _database: Database

    async def read(
        self,
        *,
        user: UserId | None = None,
        since: datetime | None = None,
        kinds: frozenset[AuditKind] = frozenset(),
        limit: int | None = None,
    ) -> AsyncIterator[AuditEvent]:
        """See the port."""
        wanted, here = select(audit_events), tuple_(audit_events.c.at, audit_events.c.id)
        if user is not None:
            wanted = wanted.where(audit_events.c.user_id == user)
        if since is not None:
            wanted = wanted.where(audit_events.c.at >= since)
        if kinds:
            wanted = wanted.where(audit_events.c.kind.in_([kind.value for kind in kinds]))
        if limit is not None:
            newest_first = wanted.order_by(audit_events.c.at.desc(), audit_events.c.id.desc())
            first = (await self._database.read(newest_first.offset(limit - 1).limit(1))).one_or_none()
            if first is not None:
                wanted = wanted.where(here >= (first.at, first.id))
        page = wanted.order_by(audit_events.c.at, audit_events.c.id).limit(BATCH)
        rows = (await self._database.read(page)).all()
        while rows:
            for row in rows:
                yield _event(row)
            rows = (await self._database.read(page.where(here > (rows[-1].at, rows[-1].id)))).all()

    async def purge_before(self, instant: datetime) -> int:
        """See the port."""
        forgotten = 0
        while True:
            old = select(audit_events.c.id).where(audit_events.c.at < instant).limit(BATCH)
            async with self._database.writing() as connection:
                gone = (await connection.execute(delete(audit_events).where(audit_events.c.id.in_(old)))).rowcount
            forgotten += gone
            if gone < BATCH:
                return forgotten


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(
        kind=AuditKind(row.kind),
        at=row.at,
        user_id=row.user_id,
        session_id=row.session_id,
        context=AuditContext(row.request_id, row.peer) if row.request_id is not None else None,
        reason=row.reason,
        token_digest=row.token_digest,
    )


@frozen
class AuditRetention:
    """Takes away, about once an hour, what is older than it has to be kept."""

    _trail: SqlAuditTrail
    _keep_for: timedelta
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def prepare(self) -> None:
        """Nothing is needed before the first request."""

    async def run(self) -> None:
        """Go on until cancelled; a failure waits for the next time."""
        while True:
            await asyncio.sleep(PURGE_INTERVAL * (0.5 + random.random()))  # noqa: S311  (so that workers take queue)
            try:
                await self._trail.purge_before(self._now() - self._keep_for)
            except StorageUnavailable:
                continue
