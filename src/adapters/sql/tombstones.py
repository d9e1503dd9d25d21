"""What is done across owners: tombstones that are old enough go. Everything else here is about one owner's list."""

from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import delete, func, select, text

from adapters.sql.database import Database
from adapters.sql.tables import task_lists, tasks
from domain.identity import UserId

OWNERS_BATCH: Final = 100
"""Owners looked up by one statement."""
PURGE_BATCH: Final = 1000
"""Tombstones that go in one transaction: few enough that nobody waits long for the list."""


class RowsHidden(Exception):
    """Row-level security hides other people's rows from this role: what there is to take away can't be seen."""


@frozen
class SqlTombstones:
    """The tombstones of everybody's deleted tasks.

    Whose they are is looked up first, across owners; then each owner's go in transactions of their own, which name the
    owner and hold the list's lock, so that a task that is being brought back is either back or gone. The list's
    revision stays as it is: what a client sees of the list does not change. Nothing tells yet from which revision on
    changes are complete; a reader of changes will have to know what was purged.
    """

    _database: Database

    async def purge_before(self, instant: datetime) -> int:
        """Take away the tombstones of what was deleted before that; how many there were. Safe to repeat.

        Raises:
            RowsHidden: policies hold this role (PostgreSQL); nothing was taken away.
            StorageUnavailable: the database is away; what went before that is gone all the same.
        """
        await self._ensure_all_are_seen()
        gone, last = 0, ""
        while owners := await self._owners_after(last, instant):
            for owner in owners:
                while some := await self._forget_some(owner, instant):
                    gone += some
                    if some < PURGE_BATCH:
                        break
            last = owners[-1]
        return gone

    async def _ensure_all_are_seen(self) -> None:
        if self._database.dialect == "postgresql":
            is_held = text("SELECT row_security_active('tasks') OR row_security_active('task_lists')")
            if (await self._database.read(is_held)).scalar_one():
                raise RowsHidden

    async def _owners_after(self, last: str, instant: datetime) -> list[UserId]:
        wanted = (
            select(tasks.c.owner_id)
            .where(tasks.c.owner_id > last, tasks.c.deleted_at.is_not(None), tasks.c.deleted_at < instant)
            .group_by(tasks.c.owner_id)
            .order_by(tasks.c.owner_id)
            .limit(OWNERS_BATCH)
        )
        return [UserId(owner) for owner in (await self._database.read(wanted)).scalars()]

    async def _forget_some(self, owner: UserId, instant: datetime) -> int:
        lock = select(task_lists.c.revision).where(task_lists.c.owner_id == owner).with_for_update()
        is_old = (tasks.c.owner_id == owner, tasks.c.deleted_at.is_not(None), tasks.c.deleted_at < instant)
        some = select(tasks.c.id).where(*is_old).limit(PURGE_BATCH)
        async with self._database.writing() as connection:
            if self._database.dialect == "postgresql":
                await connection.execute(select(func.set_user(owner)))  # whose rows, as in every change
            await connection.execute(lock)
            return (await connection.execute(delete(tasks).where(*is_old, tasks.c.id.in_(some)))).rowcount
