"""How long the database may take, and which of its errors mean "later" instead of "wrong"."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from attrs import define
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

DEADLINE: Final = 2.5
"""Seconds that one use of the database may take, the wait for a connection included."""
ACQUIRE_TIMEOUT: Final = 1.5
"""Seconds to wait for a free connection."""
CLOSE_TIMEOUT: Final = 0.3
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
async def deadline() -> AsyncIterator[None]:
    """Give what is inside until the deadline.

    Raises:
        StorageUnavailable: it took longer, or failed in a way that passes or that an operator has to mend.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except Exception as error:
        if (passing := as_unavailable(error)) is None:
            raise
        raise passing from error


def as_unavailable(error: Exception) -> StorageUnavailable | None:
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


NO_TABLE: Final = "42P01"
NO_RIGHT: Final = "42501"

_URL: Final = "correct DATABASE_URL"
_BY_SQLSTATE: Final = (
    ("28P01", "the password is wrong, or there is no such role", f"{_URL}: its password and role"),
    ("28", "the server does not let this role in from here", f"{_URL}, create the role, or mend pg_hba.conf"),
    ("3D", "the server has no database of that name", f"create it (createdb), then run evo-todo migrate, or {_URL}"),
    ("53300", "the server has no free connection", "raise its max_connections, or lower EVO_TODO_WORKERS"),
    ("57P03", "the server is starting or stopping", "wait until it takes connections"),
    (NO_RIGHT, "this role may not use it", "grant it CONNECT on the database, and USAGE on the schema"),
)
"""The first whose SQLSTATE begins like that (PostgreSQL, appendix A)."""

_SEE: Final = f"see whether PostgreSQL runs there and takes connections, or {_URL}"


@define
class Refused(Exception):
    """The database was asked in vain."""

    cause: BaseException

    @property
    def sqlstate(self) -> str:
        """PostgreSQL's code for it; SQLite has none, so that of a missing table is put in."""
        if "no such table" in str(self.cause):
            return NO_TABLE
        return str(getattr(self.cause, "sqlstate", None) or "")

    def details(self) -> tuple[str, str]:
        """What is wrong, and what to do. Nothing of the error's own text, which may quote the address."""
        for code, what, advice in _BY_SQLSTATE:
            if self.sqlstate.startswith(code):
                return what, advice
        return _server(self.cause)

    def file_details(self) -> tuple[str, str]:
        """The same of a SQLite file, which has no server that could be away."""
        if isinstance(self.cause, TimeoutError) or "locked" in str(self.cause):
            return "another program keeps it locked", "end that program, or wait until it is done"
        return f"it can't be used ({type(self.cause).__name__})", f"bring it back from a backup, or {_URL}"


def _server(cause: BaseException) -> tuple[str, str]:
    match cause:
        case TimeoutError():
            return f"it does not answer within {DEADLINE:g} s", f"{_SEE}; a firewall may lie between"
        case socket.gaierror():
            return "its host can't be found", f"{_URL}: its host"
        case OSError() if isinstance(cause, ssl.SSLError) or "rejected SSL upgrade" in str(cause):
            return "the server's TLS is not what DATABASE_URL asks for", f"{_URL}: its sslmode and certificates"
        case FileNotFoundError():
            return "there is no such socket", _SEE
        # With several addresses for one host, the error of each is only in the text.
        case OSError() if isinstance(cause, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(cause):
            return "connections are refused: nobody listens there", f"start PostgreSQL, or {_URL}"
    return f"it can't be used ({type(cause).__name__})", _SEE
