"""Work on the lists of all owners: removing old tombstones and idempotency keys, and what a restored backup needs."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from attrs import Factory, frozen
from sqlalchemy import case, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.database import Database
from adapters.sql.executors import PurgeProgress, delete_in_batches
from adapters.sql.owners import OWNERS_BATCH, OldRows, all_owners, owners_of, set_user
from adapters.sql.tables import idempotency_keys, task_lists, tasks
from domain.errors import StorageUnavailable
from domain.identity import UserId

PURGE_BATCH: Final = 1000
"""Rows deleted in one transaction: few, so that other changes of the list wait briefly."""
MAX_PURGE_INTERVAL: Final = 3600.0
"""Seconds between two purges by a worker, give or take a half."""
PURGES_PER_RETENTION: Final = 10
"""How often in its retention period a short-lived row is looked for."""
LEAP: Final = 1_000_000_000
"""More changes than a list can have had between a backup and its loss; JavaScript can count a million such leaps."""

_OLD_TOMBSTONES: Final = OldRows("tasks WHERE deleted_at IS NOT NULL AND deleted_at < :instant")
_OLD_KEYS: Final = OldRows("idempotency_keys WHERE created_at < :instant")


@frozen
class SqlTombstones:
    """The tombstones of all owners' deleted tasks.

    Each owner's are deleted in transactions that see only that owner's rows and hold the list's lock, so that a task
    which is being restored is either restored or gone. The list's revision stays, because what clients see of it does;
    its horizon becomes the highest revision that was deleted, so that no client gets an incomplete list of changes.
    """

    _database: Database
    _batch: int = PURGE_BATCH
    _owners_batch: int = OWNERS_BATCH

    async def purge_before(self, instant: datetime) -> int:
        """Delete the tombstones of tasks deleted before the instant; return how many there were. Safe to repeat.

        Raises:
            StorageUnavailable: the database is unavailable; what was deleted before that stays deleted.
        """
        owners = owners_of(self._database, _OLD_TOMBSTONES, instant, self._owners_batch)
        return await _purge_each(owners, partial(self._purge, instant), self._batch)

    async def _purge(self, instant: datetime, owner: UserId) -> int:
        is_old = (tasks.c.owner_id == owner, tasks.c.deleted_at.is_not(None), tasks.c.deleted_at < instant)
        oldest = select(tasks.c.id).where(*is_old).order_by(tasks.c.revision).limit(self._batch)
        batch = delete(tasks).where(*is_old, tasks.c.id.in_(oldest)).returning(tasks.c.revision)
        async with _locked(self._database, owner) as connection:
            revisions = (await connection.execute(batch)).scalars().all()
            if revisions:
                await connection.execute(_forget(owner, len(revisions), max(revisions)))
        return len(revisions)


@frozen
class SqlIdempotencyKeys:
    """The idempotency keys of all owners."""

    _database: Database
    _batch: int = PURGE_BATCH
    _owners_batch: int = OWNERS_BATCH

    async def purge_before(self, instant: datetime) -> int:
        """Delete the keys that came before the instant; return how many there were. Safe to repeat.

        Raises:
            StorageUnavailable: the database is unavailable; what was deleted before that stays deleted.
        """
        owners = owners_of(self._database, _OLD_KEYS, instant, self._owners_batch)
        return await _purge_each(owners, partial(self._purge, instant), self._batch)

    async def _purge(self, instant: datetime, owner: UserId) -> int:
        keys = idempotency_keys.c
        is_old = (keys.owner_id == owner, keys.created_at < instant)
        oldest = select(keys.owner_id, keys.key).where(*is_old).limit(self._batch)
        batch = delete(idempotency_keys).where(*is_old, tuple_(keys.owner_id, keys.key).in_(oldest))
        async with _locked(self._database, owner) as connection:
            return (await connection.execute(batch)).rowcount


async def _purge_each(owners: AsyncIterator[UserId], purge: Callable[[UserId], Awaitable[int]], batch: int) -> int:
    """Call `purge` for each owner as long as it deletes whole batches; return how many rows it deleted."""
    return sum([await delete_in_batches(partial(purge, owner), batch) async for owner in owners])


@asynccontextmanager
async def _locked(database: Database, owner: UserId) -> AsyncIterator[AsyncConnection]:
    """A transaction of that owner that holds the list's lock."""
    async with database.writing() as connection:
        await set_user(connection, owner)
        lock = select(task_lists.c.revision).where(task_lists.c.owner_id == owner).with_for_update()
        await connection.execute(lock)
        yield connection


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
        while True:
            await asyncio.sleep(interval * (0.5 + random.random()))  # noqa: S311  (spreads the workers)
            try:
                old = self._now() - self._keep_tombstones
                self.tombstones.note(await SqlTombstones(self._database).purge_before(old))
                old = self._now() - self._keep_keys
                self.keys.note(await SqlIdempotencyKeys(self._database).purge_before(old))
            except StorageUnavailable:
                continue


async def outdate(database: Database, batch: int = OWNERS_BATCH) -> int:
    """Raise every list's revision, and its horizon to it; return how many lists there are. Safe to repeat.

    Clients may know revisions that the backup does not have. Without this, other changes would get the same numbers,
    and what a client holds from before would pass for current: sync tokens, entity tags, pages.

    Raises:
        StorageUnavailable: the database is unavailable; some lists may have been done.
    """
    count = 0
    raised = task_lists.c.revision + LEAP
    async for owners in all_owners(database, batch):
        async with database.writing() as connection:
            for owner in owners:
                await set_user(connection, owner)
                leap = update(task_lists).where(task_lists.c.owner_id == owner).values(revision=raised, horizon=raised)
                await connection.execute(leap)
        count += len(owners)
    return count
