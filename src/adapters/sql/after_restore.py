"""What has to be done to the lists after the database was restored from a backup."""

from typing import Final

from sqlalchemy import update

from adapters.sql.database import Database
from adapters.sql.owners import OWNERS_BATCH, all_owners, set_user
from adapters.sql.tables import task_lists

LEAP: Final = 1_000_000_000
"""More changes than a list can have had between a backup and its loss; JavaScript can count a million such leaps."""


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
