"""`evo-todo purge`: what has been kept for long enough goes."""

import asyncio
from datetime import UTC, datetime, timedelta

import click

from adapters.sql.audit import SqlAuditTrail
from adapters.sql.database import connect
from adapters.sql.revocations import SqlRevocations
from domain.errors import StorageUnavailable
from entrypoints.settings import Settings
from entrypoints.storage import database_of
from entrypoints.token_rules import longest_life


def purge(settings: Settings) -> dict[str, int]:
    """Take it away; how many rows of what.

    Raises:
        ClickException: the database is away; what went before that is gone all the same.
    """
    try:
        return asyncio.run(_purge(settings))
    except StorageUnavailable as error:
        raise click.ClickException("nothing more can be taken away now: ask `evo-todo doctor`") from error


async def _purge(settings: Settings) -> dict[str, int]:
    database = connect(database_of(settings))
    try:
        old = datetime.now(UTC) - timedelta(seconds=settings.audit_retention)
        revocations = SqlRevocations(database, longest_life(settings), settings.revocation_max_stale)
        return {
            "audit events": await SqlAuditTrail(database).forget_before(old),
            "expired revocations": await revocations.forget_expired(),
        }
    finally:
        await database.dispose()
