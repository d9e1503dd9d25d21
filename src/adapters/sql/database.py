"""Connections: where they come from, how many there are, and what is read and written over them."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from attrs import frozen
from sqlalchemy import URL, CursorResult, Executable, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.errors import ACQUIRE_TIMEOUT, CLOSE_TIMEOUT, DEADLINE, deadline
from adapters.sql.executors import AsyncpgExecutor, Executor, SqlAlchemyExecutor
from adapters.sql.sqlite import InlineReads

READERS: Final = 10
"""Connections for reads of tasks: enough that the database works on some while others' answers are on their way."""
WRITERS: Final = 6
"""Connections for changes of tasks."""
SQLITE_READERS: Final = 4
"""Connections for reads on SQLite, a thread each."""
UPKEEP: Final = 2
"""Connections for whatever else is read, one of them for the look for what was revoked, and as many for what else is
written, on PostgreSQL."""

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
    held: AsyncpgExecutor | None = None
    """PostgreSQL: what runs the statements on tasks, which are many, on connections of its own."""
    held_looking: AsyncpgExecutor | None = None
    """PostgreSQL: what runs the look for what was revoked, on a connection that no request about tasks uses."""
    brief: InlineReads | None = None
    """SQLite: what reads a few rows without a thread."""

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.writes.dialect.name

    @property
    def executor(self) -> Executor:
        """What runs the statements on tasks."""
        return self.held or SqlAlchemyExecutor(self.read, self.writing, self.brief.read if self.brief else None)

    @property
    def looking(self) -> Executor:
        """What runs the look for what was revoked: requests wait while the event loop is at it, each second."""
        return self.held_looking or self.executor

    async def read(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """Ask one statement that stands alone.

        Raises:
            StorageUnavailable: within DEADLINE when the database doesn't answer.
        """
        async with deadline():
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
        async with deadline(), self.writes.connect() as connection, connection.begin():
            yield connection

    async def dispose(self) -> None:
        """Close every connection."""
        for held in (self.held, self.held_looking):
            if held is not None:
                await held.close()
        if self.brief is not None:
            self.brief.close()
        await self.reads.dispose()
        await self.writes.dispose()

    async def _ask(self, statement: Executable, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
        async with self.reads.connect() as connection:
            return await connection.execute(statement, parameters)


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
        await super().close(timeout=min(timeout or CLOSE_TIMEOUT, CLOSE_TIMEOUT))


def _postgresql(address: URL) -> Database:
    dsn = address.set(drivername="postgresql").difference_update_query(_LIBPQ_ONLY)

    async def connection() -> Any:
        return await asyncpg.connect(
            dsn.render_as_string(hide_password=False),
            timeout=DEADLINE,
            connection_class=_Connection,
            server_settings={"application_name": "evo-todo"},
        )

    def engine(size: int, **options: Any) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connection,
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            pool_timeout=ACQUIRE_TIMEOUT,
            **options,
        )

    one = AsyncpgPool(connection, 1)
    return Database(
        reads=engine(UPKEEP - 1, isolation_level="AUTOCOMMIT"),
        writes=engine(UPKEEP),
        connect=connection,
        held=AsyncpgExecutor(AsyncpgPool(connection, READERS), AsyncpgPool(connection, WRITERS)),
        held_looking=AsyncpgExecutor(one, one),
    )


def _sqlite(address: URL) -> Database:
    if address.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file: each connection would have a memory of its own")
    # What else the address says is for SQLAlchemy's driver alone.
    brief = None if address.query else InlineReads(Path(address.database or "").absolute())
    address = address.set(drivername="sqlite+aiosqlite")

    def engine(size: int, **options: Any) -> AsyncEngine:
        made = create_async_engine(
            address,
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            pool_timeout=ACQUIRE_TIMEOUT,
            connect_args={"timeout": ACQUIRE_TIMEOUT},
            **options,
        )
        event.listen(made.sync_engine, "connect", _prepare_sqlite)
        return made

    writes = engine(1)
    event.listen(writes.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return Database(reads=engine(SQLITE_READERS, isolation_level="AUTOCOMMIT"), writes=writes, brief=brief)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    cursor = connection.cursor()
    # The mode is the file's: where several connections open a new file at once, one of them switches it over.
    with contextlib.suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
    cursor.close()
