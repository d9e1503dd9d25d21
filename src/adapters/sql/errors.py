"""Time limits of the database, and which of its errors mean "unavailable, try later" rather than a fault of ours."""

import asyncio
import errno
import logging
import socket
import sqlite3
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from attrs import define
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.sql.address import DatabaseAddress
from adapters.sql.sqlstates import CORRECT_URL, find_state, sqlstate_of
from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

DEADLINE: Final = 2.5
"""Seconds that one use of the database may take, including the wait for a connection."""
ACQUIRE_TIMEOUT: Final = 1.5
"""Seconds to wait for a free connection."""
CLOSE_TIMEOUT: Final = 0.3
"""Seconds that a connection which has missed its deadline is given to close."""
CANCEL_TIMEOUT: Final = 1.0
"""Seconds that a server is given to cancel a statement that is not waited for any longer."""
STATEMENT_TIMEOUT: Final = DEADLINE + 0.5
"""Seconds after which a server ends a statement of the service's role by itself."""

DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What PostgreSQL's driver raises besides OSError; outside SQLAlchemy nothing wraps it."""

OUTAGE_PAUSE: Final = 10.0
"""Seconds without a failure after which the next one is another outage: each worker asks the database every second."""

COUNTS: Final[Counter[str]] = Counter()
"""How often this process has found the database unavailable, by SQLSTATE, or by the type of the error."""


@asynccontextmanager
async def deadline() -> AsyncIterator[None]:
    """Limit a block to DEADLINE seconds.

    Raises:
        StorageUnavailable: it took longer, or failed for a reason that passes or that an operator has to fix.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except Exception as error:
        if (unavailable := as_unavailable(error)) is None:
            raise
        raise unavailable from error


def as_unavailable(error: Exception) -> StorageUnavailable | None:
    """Translate an error that passes or that an operator has to fix, and log it; `None` for any other error."""
    if not _is_unavailability(error):
        return None
    cause = getattr(error, "orig", None) or error
    COUNTS[getattr(cause, "sqlstate", None) or type(cause).__name__] += 1
    OUTAGE.note(cause)
    return StorageUnavailable(retry_after=2)


def _is_unavailability(error: Exception) -> bool:
    match error:
        case DBAPIError():
            return error.connection_invalidated or _is_unavailability_in_sqlalchemy(error)
        case asyncpg.PostgresError():
            return find_state(sqlstate_of(error)) is not None
        # Refused, reset, unknown host, TimeoutError; then asyncpg's own: no connection can be made, or it is lost.
        case OSError() | PoolTimeout() | DisconnectionError():
            return True
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | sqlite3.OperationalError():
            return True
    return False


def _is_unavailability_in_sqlalchemy(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) is not None:
        return find_state(sqlstate_of(error)) is not None
    # SQLite has no SQLSTATE: a locked, full or missing file, or a table that no migration has created yet.
    return type(error).__name__ == "OperationalError"


_CHECK_SERVER: Final = f"check that PostgreSQL runs there and accepts connections, or {CORRECT_URL}"

Test = Callable[[BaseException, str], bool]

_EXPLAINED: Final[tuple[tuple[Test, str, str], ...]] = (
    (
        lambda error, text: isinstance(error, sqlite3.Error) and ("unable to open" in text or "readonly" in text),
        "the file can't be opened for writing",
        f"create its folder, let this user write it and the file, then run evo-todo migrate, or {CORRECT_URL}",
    ),
    (
        lambda error, text: isinstance(error, sqlite3.Error) and "locked" in text,
        "another program keeps it locked",
        "end that program, or wait until it is done",
    ),
    (
        lambda error, _: isinstance(error, TimeoutError),
        f"it does not respond within {DEADLINE:g} s",
        f"{_CHECK_SERVER}; a firewall may be in between",
    ),
    (lambda error, _: isinstance(error, socket.gaierror), "its host can't be found", f"{CORRECT_URL}: its host"),
    (
        lambda error, text: isinstance(error, ssl.SSLError) or "rejected SSL upgrade" in text,
        "the server's TLS is not what DATABASE_URL asks for",
        f"{CORRECT_URL}: its sslmode and certificates",
    ),
    (lambda error, _: isinstance(error, FileNotFoundError), "there is no such socket", _CHECK_SERVER),
    (  # if a host has several addresses, the error of each is only in the message
        lambda error, text: isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in text,
        "connections are refused: nothing listens there",
        f"start PostgreSQL, or {CORRECT_URL}",
    ),
)


def explain(cause: BaseException) -> tuple[str, str]:
    """What is wrong, and what to do. Nothing of the error's own message, which may quote the address."""
    if (state := find_state(code := sqlstate_of(cause))) is not None:
        return state.meaning, state.advice
    for matches, meaning, advice in _EXPLAINED:
        if matches(cause, str(cause)):
            return meaning, advice
    advice = f"restore it from a backup, or {CORRECT_URL}" if isinstance(cause, sqlite3.Error) else _CHECK_SERVER
    return f"it can't be used ({type(cause).__name__}){f', SQLSTATE {code}' if code else ''}", advice


@define
class Outage:
    """Logs why the database is unavailable once, and again when that changes; every failure at debug level."""

    _meaning: str = ""
    _last: float = 0.0

    def note(self, cause: BaseException) -> None:
        """A use of the database has failed."""
        meaning, advice = explain(cause)
        now = time.monotonic()
        is_new = meaning != self._meaning or now - self._last > OUTAGE_PAUSE
        self._meaning, self._last = meaning, now
        logger.log(
            logging.WARNING if is_new else logging.DEBUG,
            "database unavailable",
            extra={"cause": meaning, "remedy": advice, "error": type(cause).__name__},
        )


OUTAGE: Final = Outage()
"""The one of this process."""


@define
class DatabaseFailure(Exception):
    """The database could not be used."""

    cause: BaseException

    @classmethod
    def of(cls, error: BaseException) -> "DatabaseFailure":
        """The failure behind an exception of this service, of SQLAlchemy or of a driver."""
        cause = (error.__cause__ or error) if isinstance(error, StorageUnavailable) else error
        return cls(getattr(cause, "orig", None) or cause)

    def explain_at(self, address: DatabaseAddress) -> tuple[str, str]:
        """The same for the database at this address: a file has no server."""
        if address.is_sqlite and isinstance(self.cause, TimeoutError):
            return "another program keeps it locked", "end that program, or wait until it is done"
        return explain(self.cause)
