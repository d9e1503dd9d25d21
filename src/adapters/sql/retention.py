"""Deletes what is past its retention period: tombstones, idempotency keys, and audit events."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from attrs import Factory, define, field, frozen
from sqlalchemy import case, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.audit import SqlAuditTrail
from adapters.sql.database import Database
from adapters.sql.executors import delete_in_batches
from adapters.sql.owners import OWNERS_BATCH, OldRows, owners_of, set_user
from adapters.sql.tables import idempotency_keys, task_lists, tasks
from domain.errors import StorageUnavailable
from domain.identity import UserId

PURGE_BATCH: Final = 1000
"""Rows deleted in one transaction: few, so that other changes of the list wait briefly."""
MAX_PURGE_INTERVAL: Final = 3600.0
"""Seconds between two purges of a kind by a worker, give or take a half."""
PURGES_PER_RETENTION: Final = 10
"""How often in its retention period a short-lived row is looked for."""


@frozen
class _OwnersRows(ABC):
    """Rows of all owners that are deleted when they are old, in transactions of one owner that hold the list's lock."""

    _database: Database
    _batch: int = PURGE_BATCH
    _owners_batch: int = OWNERS_BATCH
    _old: ClassVar[OldRows]

    async def purge_before(self, instant: datetime) -> int:
        """Delete the rows that were old at the instant; return how many there were. Safe to repeat.

        Raises:
            StorageUnavailable: the database is unavailable; what was deleted before that stays deleted.
        """
        owners = owners_of(self._database, self._old, instant, self._owners_batch)
        purges = (partial(self._purge, owner, instant) async for owner in owners)
        return sum([await delete_in_batches(purge, self._batch) async for purge in purges])

    async def _purge(self, owner: UserId, instant: datetime) -> int:
        async with self._database.writing() as connection:
            await set_user(connection, owner)
            lock = select(task_lists.c.revision).where(task_lists.c.owner_id == owner).with_for_update()
            await connection.execute(lock)
            return await self._delete(connection, owner, instant)

    @abstractmethod
    async def _delete(self, connection: AsyncConnection, owner: UserId, instant: datetime) -> int:
        """Delete a batch of one owner's rows; return how many there were."""


@frozen
class SqlTombstones(_OwnersRows):
    """The tombstones of all owners' deleted tasks, which are old when the task was deleted before an instant.

    A task that is being restored is either restored or gone. The list's revision stays, because what clients see of it
    does; its horizon becomes the highest revision that was deleted, so that no client gets an incomplete list of
    changes.
    """

    _old = OldRows("tasks WHERE deleted_at IS NOT NULL AND deleted_at < :instant")

    async def _delete(self, connection: AsyncConnection, owner: UserId, instant: datetime) -> int:
        is_old = (tasks.c.owner_id == owner, tasks.c.deleted_at.is_not(None), tasks.c.deleted_at < instant)
        oldest = select(tasks.c.id).where(*is_old).order_by(tasks.c.revision).limit(self._batch)
        batch = delete(tasks).where(*is_old, tasks.c.id.in_(oldest)).returning(tasks.c.revision)
        revisions = (await connection.execute(batch)).scalars().all()
        if revisions:
            await connection.execute(_forget(owner, len(revisions), max(revisions)))
        return len(revisions)


@frozen
class SqlIdempotencyKeys(_OwnersRows):
    """The idempotency keys of all owners, which are old when they came before an instant."""

    _old = OldRows("idempotency_keys WHERE created_at < :instant")

    async def _delete(self, connection: AsyncConnection, owner: UserId, instant: datetime) -> int:
        keys = idempotency_keys.c
        is_old = (keys.owner_id == owner, keys.created_at < instant)
        oldest = select(keys.owner_id, keys.key).where(*is_old).limit(self._batch)
        batch = delete(idempotency_keys).where(*is_old, tuple_(keys.owner_id, keys.key).in_(oldest))
        return (await connection.execute(batch)).rowcount


def _forget(owner: UserId, count: int, revision: int) -> Any:
    """Count rows that are gone, and raise the horizon to the highest revision among them."""
    of_list = task_lists.c
    return (
        update(task_lists)
        .where(of_list.owner_id == owner)
        .values(
            size=case((of_list.size > count, of_list.size - count), else_=0),
            horizon=case((of_list.horizon < revision, revision), else_=of_list.horizon),
        )
    )


@define(eq=False)
class PurgeProgress:
    """What a background task has deleted so far."""

    rows: int = 0
    finished_at: float = field(factory=time.time)
    """When everything that was old had been deleted, in seconds since 1970; at first, the start of this process."""

    def note(self, rows: int) -> None:
        """Everything old is deleted now: that many rows."""
        self.rows += rows
        self.finished_at = time.time()


async def purge_periodically(interval: float, purge: Callable[[], Awaitable[object]]) -> None:
    """Purge until cancelled, each time after so many seconds, give or take a half; also after a failure."""
    while True:
        await asyncio.sleep(interval * (0.5 + random.random()))  # noqa: S311  (spreads the workers)
        with suppress(StorageUnavailable):
            await purge()


@frozen
class ListRetention:
    """Background task: purges tombstones and idempotency keys whose retention period has ended."""

    _database: Database
    _keep_tombstones: timedelta
    _keep_keys: timedelta
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tombstones: PurgeProgress = Factory(PurgeProgress)
    keys: PurgeProgress = Factory(PurgeProgress)

    async def prepare(self) -> None:
        """Nothing has to be done before the first request."""

    async def run(self) -> None:
        """Purge until cancelled; after a failure, the next attempt is an interval later."""
        shortest = min(self._keep_tombstones, self._keep_keys).total_seconds()
        interval = min(MAX_PURGE_INTERVAL, max(1.0, shortest / PURGES_PER_RETENTION))
        await purge_periodically(interval, self._purge)

    async def _purge(self) -> None:
        old = self._now() - self._keep_tombstones
        self.tombstones.note(await SqlTombstones(self._database).purge_before(old))
        old = self._now() - self._keep_keys
        self.keys.note(await SqlIdempotencyKeys(self._database).purge_before(old))


@frozen
class AuditRetention:
    """Background task: deletes, about once an hour, events that are older than the retention period."""

    _trail: SqlAuditTrail
    _keep_for: timedelta
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _interval: float = MAX_PURGE_INTERVAL
    progress: PurgeProgress = Factory(PurgeProgress)

    async def prepare(self) -> None:
        """Nothing has to be done before the first request."""

    async def run(self) -> None:
        """Delete until cancelled; after a failure, the next attempt is an interval later."""
        await purge_periodically(self._interval, self._purge)

    async def _purge(self) -> None:
        self.progress.note(await self._trail.purge_before(self._now() - self._keep_for))
