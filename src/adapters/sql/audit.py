"""The audit log's table: rows are added, read, and deleted when they are old; none is ever changed."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from attrs import define, field, frozen
from sqlalchemy import Row, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.database import Database
from adapters.sql.executors import delete_in_batches
from adapters.sql.tables import audit_events
from application.background import Backoff
from application.ports import IdGenerator
from domain.audit import ALL_EVENTS, AuditContext, AuditEvent, AuditKind, AuditQuery
from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 10_000
"""Events in the queue; further ones are dropped, counted and logged."""
BATCH_SIZE: Final = 500
"""Rows written, read or deleted at once."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds that writing the rest of the queue may take at the end."""
FIRST_BACKOFF: Final = 0.2
MAX_BACKOFF: Final = 5.0
"""Seconds between two attempts to write while the database is unavailable, before jitter."""


@define(eq=False)
class SqlAuditLog:
    """The port's AuditLog: `record` puts an event into a queue, `run` writes the queue to the table."""

    _database: Database
    _ids: IdGenerator
    _max_waiting: int = MAX_WAITING
    _backoff: Backoff = field(kw_only=True, factory=lambda: Backoff(FIRST_BACKOFF, MAX_BACKOFF))
    _waiting: deque[dict[str, Any]] = field(init=False, factory=deque)
    """Rows with their ids: one that is written twice, because the result of a commit was lost, is stored once."""
    _has_waiting: asyncio.Event = field(init=False, factory=asyncio.Event)
    _dropped: int = field(init=False, default=0)
    """Since the last log line about it."""
    dropped: int = field(init=False, default=0)
    """All together."""

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return len(self._waiting)

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        if len(self._waiting) >= self._max_waiting:
            self._dropped += 1
            return
        self._waiting.append(self._row(event))
        self._has_waiting.set()

    async def prepare(self) -> None:
        """Nothing has to be done before the first request."""

    async def run(self) -> None:
        """Write until cancelled; then write the rest of the queue, within CLOSE_TIMEOUT."""
        try:
            await self._keep_writing()
        finally:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.write_waiting()
            except (TimeoutError, StorageUnavailable):
                self._dropped += len(self._waiting)
            self._log_dropped()

    async def write_waiting(self) -> None:
        """Write the whole queue.

        Raises:
            StorageUnavailable: the database is unavailable; what was not written stays in the queue.
        """
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_SIZE, len(self._waiting)))]
            try:
                await self._write(batch)
            except (StorageUnavailable, asyncio.CancelledError):
                self._waiting.extendleft(reversed(batch))
                raise
            except SQLAlchemyError as error:
                # Another attempt would fail too, and the rest of the queue must not wait behind this batch for ever.
                self._dropped += len(batch)
                logger.error("audit events can't be written", extra={"error": type(error).__name__})  # noqa: TRY400  (without the rows)

    async def _keep_writing(self) -> None:
        while True:
            await self._has_waiting.wait()
            self._has_waiting.clear()
            try:
                await self.write_waiting()
                self._backoff.reset()
            except StorageUnavailable:
                self._has_waiting.set()
                await asyncio.sleep(self._backoff.fail())
            self._log_dropped()

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

    def _log_dropped(self) -> None:
        if self._dropped:
            logger.error("audit events were dropped", extra={"dropped": self._dropped})
            self.dropped += self._dropped
            self._dropped = 0


@frozen
class SqlAuditTrail:
    """The port's AuditTrail, from the table."""

    _database: Database

    async def read(self, query: AuditQuery = ALL_EVENTS) -> AsyncIterator[AuditEvent]:
        """See the port."""
        events, key = select(audit_events), tuple_(audit_events.c.at, audit_events.c.id)
        if query.user is not None:
            events = events.where(audit_events.c.user_id == query.user)
        if query.since is not None:
            events = events.where(audit_events.c.at >= query.since)
        if query.kinds:
            events = events.where(audit_events.c.kind.in_([kind.value for kind in query.kinds]))
        if query.limit is not None:
            newest_first = events.order_by(audit_events.c.at.desc(), audit_events.c.id.desc())
            first = (await self._database.read(newest_first.offset(query.limit - 1).limit(1))).one_or_none()
            if first is not None:
                events = events.where(key >= (first.at, first.id))
        page = events.order_by(audit_events.c.at, audit_events.c.id).limit(BATCH_SIZE)
        rows = (await self._database.read(page)).all()
        while rows:
            for row in rows:
                yield _event(row)
            rows = (await self._database.read(page.where(key > (rows[-1].at, rows[-1].id)))).all()

    async def purge_before(self, instant: datetime) -> int:
        """See the port."""
        old = select(audit_events.c.id).where(audit_events.c.at < instant).limit(BATCH_SIZE)

        async def purge_batch() -> int:
            async with self._database.writing() as connection:
                return (await connection.execute(delete(audit_events).where(audit_events.c.id.in_(old)))).rowcount

        return await delete_in_batches(purge_batch, BATCH_SIZE)


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
