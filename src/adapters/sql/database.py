"""Connections: where they come from, how long one waits for them, and what it means when they fail."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from attrs import frozen
from sqlalchemy import URL, CursorResult, Executable, event, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

DEADLINE: Final = 2.5
"""Seconds that one use of the database may take, the wait for a connection included."""
POOL_WAIT: Final = 1.5
"""Seconds to wait for a free connection."""
POOL_SIZE: Final = 5
"""Connections for reads, and as many for writes."""
LAST_WORD: Final = 0.3
"""Seconds that a connection which has not answered in time is given to close."""

# libpq's own options, which hosted databases put into the address; asyncpg would send them to the server.
_LIBPQ_ONLY = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
    }
)

# What passes, or what an operator has to mend, by SQLSTATE: connection (08), a standby (25006), idle too long (25P03),
# login (28), no such database (3D), lost against another transaction (40), no right to the tables or, by a policy, to
# a row (42501), not migrated (42P01, 42703, 42883), resources (53), a lock's time-out (55P03), a statement's (57014),
# shutdown (57P).
_LATER = ("08", "25006", "25P03", "28", "3D", "40", "42501", "42P01", "42703", "42883", "53", "55P03", "57014", "57P")


@frozen
class Database:
    """Engines onto one database; nothing connects before the first use.

    Reads are single statements in autocommit: no BEGIN, no COMMIT. They have connections of their own, so that writers
    who wait for each other keep no reader waiting. On SQLite, which lets one writer in at a time, writers share one
    connection and so queue fairly instead of polling for the file's lock.
    """

    reads: AsyncEngine
    writes: AsyncEngine
    connect: Callable[[], Awaitable[Any]] | None = None
    """A driver's connection outside every pool, to listen on; only PostgreSQL has that."""

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.writes.dialect.name

    async def read(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """Ask one statement that stands alone.

        Raises:
            StorageUnavailable: within DEADLINE when the database doesn't answer.
        """
        async with _in_time():
            try:
                return await self._ask(statement, parameters)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The pooled connection was dead, and the pool has let go of its kind: a read can be asked again.
            return await self._ask(statement, parameters)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that a clean exit commits and an exception rolls back.

        Raises:
            StorageUnavailable: within DEADLINE when the database doesn't answer.
        """
        async with _in_time(), self.writes.connect() as connection, connection.begin():
            yield connection

    async def dispose(self) -> None:
        """Close every connection."""
        await self.reads.dispose()
        await self.writes.dispose()

    async def _ask(self, statement: Executable, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
        async with self.reads.connect() as connection:
            return await connection.execute(statement, parameters)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except (OSError, PoolTimeout, DisconnectionError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # OSError: refused, reset, unknown host, and TimeoutError; asyncpg's own: while a connection is made.
        raise _unavailable(error) from error
    except DBAPIError as error:
        if not _is_passing(error):
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StorageUnavailable:
    cause = getattr(error, "orig", None) or error
    logger.warning(
        "database unavailable", extra={"error": type(cause).__name__, "sqlstate": getattr(cause, "sqlstate", None)}
    )
    return StorageUnavailable(retry_after=2)


def _is_passing(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return str(sqlstate).startswith(_LATER)
    # SQLite has no SQLSTATE: a locked or full or missing file, or a table that no migration has made yet.
    return type(error).__name__ == "OperationalError"


def connect(url: str) -> Database:
    """A database by its address: `postgresql://…` as libpq writes it, or `sqlite:///path`.

    Raises:
        ValueError: it is neither.
    """
    address = make_url(url)
    match address.get_backend_name():
        case "postgresql" | "postgres":
            return _postgresql(address)
        case "sqlite":
            return _sqlite(address)
        case other:
            raise ValueError(f"{other} is no database this service knows")


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg tells no types
    """A connection that doesn't wait for a dead server's goodbye: SQLAlchemy would give it two seconds."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  (asyncpg's signature)
        await super().close(timeout=min(timeout or LAST_WORD, LAST_WORD))


def _postgresql(address: URL) -> Database:
    dsn = address.set(drivername="postgresql").difference_update_query(_LIBPQ_ONLY)

    async def connection() -> Any:
        return await asyncpg.connect(
            dsn.render_as_string(hide_password=False),
            timeout=DEADLINE,
            connection_class=_Connection,
            server_settings={"application_name": "evo-todo"},
        )

    def engine(**options: Any) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connection,
            hide_parameters=True,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_WAIT,
            **options,
        )

    return Database(reads=engine(isolation_level="AUTOCOMMIT"), writes=engine(), connect=connection)


def _sqlite(address: URL) -> Database:
    if address.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file: each connection would have a memory of its own")
    address = address.set(drivername="sqlite+aiosqlite")

    def engine(size: int, **options: Any) -> AsyncEngine:
        made = create_async_engine(
            address,
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            pool_timeout=POOL_WAIT,
            connect_args={"timeout": POOL_WAIT},
            **options,
        )
        event.listen(made.sync_engine, "connect", _prepare_sqlite)
        return made

    writes = engine(1)
    event.listen(writes.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return Database(reads=engine(POOL_SIZE, isolation_level="AUTOCOMMIT"), writes=writes)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    cursor = connection.cursor()
    # The mode is the file's: where several connections open a new file at once, one of them switches it over.
    with contextlib.suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
    cursor.close()
