"""`evo-todo purge`: what has been kept for long enough goes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click

from adapters.sql.audit import SqlAuditTrail
from adapters.sql.database import connect
from adapters.sql.revocations import SqlRevocations
from adapters.sql.upkeep import RowsHidden, SqlTombstones
from domain.errors import StorageUnavailable
from entrypoints.settings import Settings
from entrypoints.storage import database_of
from entrypoints.token_rules import longest_life

Tell = Callable[[str, int], None]
"""Takes what went, and how many rows."""


def purge(settings: Settings, tell: Tell) -> None:
    """Take it away, and tell of each kind once it is done.

    Raises:
        ClickException: the database is away or this role may not see the rest; what was told of is gone all the same.
    """
    try:
        asyncio.run(_purge(settings, tell))
    except StorageUnavailable as error:
        raise click.ClickException("nothing more can be taken away now: ask `evo-todo doctor`") from error
    except RowsHidden as error:
        raise click.ClickException(
            "deleted tasks stay: row-level security hides them from this role. Run this as a superuser or a role with "
            "BYPASSRLS, as for a backup"
        ) from error


async def _purge(settings: Settings, tell: Tell) -> None:
    database = connect(database_of(settings))
    now = datetime.now(UTC)
    try:
        revocations = SqlRevocations(database, longest_life(settings), settings.revocation_max_stale)
        old = now - timedelta(seconds=settings.audit_retention)
        tell("audit events", await SqlAuditTrail(database).forget_before(old))
        tell("expired revocations", await revocations.forget_expired())
        old = now - timedelta(seconds=settings.tombstone_retention)
        tell("deleted tasks", await SqlTombstones(database).forget_before(old))
    finally:
        await database.dispose()
