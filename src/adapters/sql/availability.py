"""How long the database may take, and which of its errors mean "later" instead of "wrong"."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

DEADLINE: Final = 2.5
"""Seconds that one use of the database may take, the wait for a connection included."""
POOL_WAIT: Final = 1.5
"""Seconds to wait for a free connection."""
LAST_WORD: Final = 0.3
"""Seconds that a connection which has not answered in time is given to close."""

# What passes, or what an operator has to mend, by SQLSTATE: connection (08), a standby (25006), idle too long (25P03),
# login (28), no such database (3D), lost against another transaction (40), no right to the tables or, by a policy, to
# a row (42501), not migrated (42P01, 42703, 42883), resources (53), a database that lets nobody in (55000), a lock's
# time-out (55P03), a statement's (57014), shutdown (57P).
_LATER = (
    *("08", "25006", "25P03", "28", "3D", "40", "42501", "42P01", "42703", "42883"),
    *("53", "55000", "55P03", "57014", "57P"),
)


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Give what is inside until the deadline.

    Raises:
        StorageUnavailable: it took longer, or failed in a way that passes or that an operator has to mend.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except Exception as error:
        if (passing := unavailability(error)) is None:
            raise
        raise passing from error


def unavailability(error: Exception) -> StorageUnavailable | None:
    """The error in the domain's words, where it passes or an operator has to mend something; the log gets its kind."""
    if not _is_passing(error):
        return None
    cause = getattr(error, "orig", None) or error
    logger.warning(
        "database unavailable", extra={"error": type(cause).__name__, "sqlstate": getattr(cause, "sqlstate", None)}
    )
    return StorageUnavailable(retry_after=2)


def _is_passing(error: Exception) -> bool:
    match error:
        case DBAPIError():
            return error.connection_invalidated or _is_passing_for_sqlalchemy(error)
        case asyncpg.PostgresError():
            return str(error.sqlstate).startswith(_LATER)
        # Refused, reset, unknown host, TimeoutError; then asyncpg's own: a connection can't be made, or is gone.
        case OSError() | PoolTimeout() | DisconnectionError():
            return True
        case asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return True
    return False


def _is_passing_for_sqlalchemy(error: DBAPIError) -> bool:
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return str(sqlstate).startswith(_LATER)
    # SQLite has no SQLSTATE: a locked or full or missing file, or a table that no migration has made yet.
    return type(error).__name__ == "OperationalError"
