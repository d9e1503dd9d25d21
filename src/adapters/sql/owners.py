"""Work on the lists of all owners, in steps of one owner each; everything else here is about one owner's list.

Row-level security hides other owners' rows. A transaction that sets `app.purging` sees whose lists there are, by a
policy of its own, but none of their tasks: those it sees only as their owner, one after the other.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ARRAY, JSON, Executable, Text, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.database import Database
from adapters.sql.tables import UtcDateTime, task_lists
from domain.identity import UserId

OWNERS_BATCH: Final = 1000
"""Owners that one transaction looks at."""

_SEE_LISTS: Final = text("SET LOCAL app.purging = 'on'")
_OWNERS: Final = (
    select(task_lists.c.owner_id)
    .where(task_lists.c.owner_id > bindparam("last", type_=Text))
    .order_by(task_lists.c.owner_id)
    .limit(bindparam("batch"))
)
# LIMIT keeps the planner from pulling up the inner statements, whose rows could then be read before the user is set.
_WITH_ROWS: Final = {
    "postgresql": (
        "SELECT asked.id FROM unnest(:owners) AS asked (id)"
        " CROSS JOIN LATERAL (SELECT set_user(asked.id) AS id OFFSET 0) AS me"
        " CROSS JOIN LATERAL (SELECT 1 FROM {rows} AND owner_id = me.id LIMIT 1) AS found"
    ),
    "sqlite": (
        "SELECT asked.value FROM json_each(:owners) AS asked"
        " WHERE EXISTS (SELECT 1 FROM {rows} AND owner_id = asked.value)"
    ),
}
_HAS_ROWS: Final = "SELECT 1 FROM {rows} AND owner_id = :owner LIMIT 1"
"""Of one owner, who is set: a sharded PostgreSQL can't ask several servers in one statement that sets a user."""


@frozen
class OldRows:
    """Rows that are old: a table, and when a row of it is."""

    rows: str
    """`table WHERE condition`, in which `:instant` is a parameter; a constant of this program."""

    def owners_statement(self, dialect: str) -> Executable:
        """Which of some owners have such rows."""
        kind = ARRAY(Text) if dialect == "postgresql" else JSON()
        statement = text(_WITH_ROWS[dialect].format(rows=self.rows))
        return statement.bindparams(bindparam("owners", type_=kind), bindparam("instant", type_=UtcDateTime()))

    @property
    def owner_statement(self) -> Executable:
        """Whether an owner has such rows: one row, or none."""
        statement = text(_HAS_ROWS.format(rows=self.rows))
        return statement.bindparams(bindparam("owner", type_=Text), bindparam("instant", type_=UtcDateTime()))


async def all_owners(database: Database, batch: int = OWNERS_BATCH) -> AsyncIterator[list[UserId]]:
    """The owners of all lists, a batch at a time.

    Raises:
        StorageUnavailable: the database is unavailable.
    """
    last = ""
    while True:
        async with database.writing() as connection:
            found = await _owners_after(connection, last, batch)
        yield found
        if len(found) < batch:
            return
        last = found[-1]


async def owners_of(
    database: Database, old: OldRows, instant: datetime, batch: int = OWNERS_BATCH
) -> AsyncIterator[UserId]:
    """Those owners who have rows that were old at the instant.

    Raises:
        StorageUnavailable: the database is unavailable.
    """
    statement = old.owners_statement(database.dialect)
    async for owners in all_owners(database, batch):
        if database.is_sharded:
            for owner in owners:
                if await _has(database, old, instant, owner):
                    yield owner
            continue
        async with database.writing() as connection:
            found = await connection.execute(statement, {"owners": owners, "instant": instant})
        for one in found.scalars():
            yield UserId(one)


async def _has(database: Database, old: OldRows, instant: datetime, owner: UserId) -> bool:
    async with database.writing() as connection:
        await set_user(connection, owner)
        found = await connection.execute(old.owner_statement, {"owner": owner, "instant": instant})
        return found.one_or_none() is not None


async def set_user(connection: AsyncConnection, owner: UserId) -> None:
    """See this owner's rows, and nobody else's, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT set_user(:owner)"), {"owner": owner})


async def _owners_after(connection: AsyncConnection, last: str, batch: int) -> list[UserId]:
    if connection.dialect.name == "postgresql":
        await connection.execute(_SEE_LISTS)
    found: Any = await connection.execute(_OWNERS, {"last": last, "batch": batch})
    return [UserId(owner) for owner in found.scalars()]
