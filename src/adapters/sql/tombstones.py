"""Removal of old tombstones, across all owners; everything else here is about one owner's list."""

from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import delete, func, select, text

from adapters.sql.database import Database
from adapters.sql.executors import delete_in_batches
from adapters.sql.tables import task_lists, tasks
from domain.identity import UserId

OWNERS_BATCH: Final = 100
"""Owners that one statement looks up."""
PURGE_BATCH: Final = 1000
"""Tombstones deleted in one transaction: few, so that other changes of the list wait briefly."""


class RowsHidden(Exception):
    """Row-level security hides other owners' rows from this role, and with them the tombstones to delete."""


@frozen
class SqlTombstones:
    """The tombstones of all owners' deleted tasks.

    The owners are looked up first; then each owner's tombstones are deleted in transactions of their own, which name
    the owner and hold the list's lock, so that a task which is being restored is either restored or gone. The list's
    revision stays: what a client sees of the list does not change. Nothing records yet from which revision on the
    changes are complete; a reader of changes will have to know what was purged.
    """

    _database: Database
    _batch: int = PURGE_BATCH
    _owners_batch: int = OWNERS_BATCH

    async def purge_before(self, instant: datetime) -> int:
        """Delete the tombstones of tasks deleted before the instant; return how many there were. Safe to repeat.

        Raises:
            RowsHidden: row-level security applies to this role (PostgreSQL); nothing was deleted.
            StorageUnavailable: the database is unavailable; what was deleted before that stays deleted.
        """
        await self._ensure_all_rows_are_visible()
        deleted, last = 0, ""
        while owners := await self._owners_after(last, instant):
            for owner in owners:
                deleted += await self._purge(owner, instant)
            last = owners[-1]
        return deleted

    async def _ensure_all_rows_are_visible(self) -> None:
        if self._database.dialect == "postgresql":
            is_active = text("SELECT row_security_active('tasks') OR row_security_active('task_lists')")
            if (await self._database.read(is_active)).scalar_one():
                raise RowsHidden

    async def _owners_after(self, last: str, instant: datetime) -> list[UserId]:
        owners = (
            select(tasks.c.owner_id)
            .where(tasks.c.owner_id > last, tasks.c.deleted_at.is_not(None), tasks.c.deleted_at < instant)
            .group_by(tasks.c.owner_id)
            .order_by(tasks.c.owner_id)
            .limit(self._owners_batch)
        )
        return [UserId(owner) for owner in (await self._database.read(owners)).scalars()]

    async def _purge(self, owner: UserId, instant: datetime) -> int:
        lock = select(task_lists.c.revision).where(task_lists.c.owner_id == owner).with_for_update()
        is_old = (tasks.c.owner_id == owner, tasks.c.deleted_at.is_not(None), tasks.c.deleted_at < instant)
        batch = delete(tasks).where(*is_old, tasks.c.id.in_(select(tasks.c.id).where(*is_old).limit(self._batch)))

        async def purge_batch() -> int:
            async with self._database.writing() as connection:
                if self._database.dialect == "postgresql":
                    await connection.execute(select(func.set_user(owner)))  # for row-level security, as in every change
                await connection.execute(lock)
                return (await connection.execute(batch)).rowcount

        return await delete_in_batches(purge_batch, self._batch)
