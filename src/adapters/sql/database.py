"""A database's connections: how many there are, and which of them a statement runs on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen
from sqlalchemy import URL, CursorResult, Executable, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.sql.address import DatabaseAddress
from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.errors import ACQUIRE_TIMEOUT, deadline
from adapters.sql.executors import AsyncpgExecutor, Executor, SqlAlchemyExecutor
from adapters.sql.pipeline import PipelinedExecutor, pipelined
from adapters.sql.postgresql import Connection, ServerOptions, connector, engine, run_alone, run_in_transaction
from adapters.sql.sqlite import InlineReads, ThreadReads, begin_immediate, configure_connection, create_private

READERS: Final = 10
"""PostgreSQL connections for reads of tasks: enough to keep it busy while other rows are on their way."""
WRITERS: Final = 6
"""PostgreSQL connections for changes of tasks."""
READERS_BESIDE_SHARED: Final = 4
"""PostgreSQL connections for the other reads, where brief ones share theirs."""
UPKEEP: Final = 2
"""PostgreSQL connections for all other reads, one of them for the revocation poll, and as many for other writes."""
SEARCHERS: Final = 2
"""Connections for searches, which read whole lists: no number of them keeps another read waiting."""
SQLITE_READERS: Final = 4
"""SQLite connections for other reads, each with a thread."""


@frozen
class Database:
    """One database; nothing connects before the first use.

    Reads are single statements in autocommit, without BEGIN and COMMIT, on connections of their own, so that writers
    which wait for each other keep no reader waiting. SQLite lets one writer in at a time: there all writers share one
    connection and so queue in order, instead of polling for the file's lock.
    """

    reads: AsyncEngine
    writes: AsyncEngine
    connect: Callable[[], Awaitable[Any]] | None = None
    """PostgreSQL: opens a driver's connection outside every pool, for LISTEN."""
    file: Path | None = None
    """SQLite: the database's file."""
    asyncpg_executor: AsyncpgExecutor | None = None
    """PostgreSQL: runs the many statements on tasks, on connections of its own."""
    pipelined_executor: PipelinedExecutor | None = None
    """PostgreSQL: runs brief statements on shared connections, and the others on `asyncpg_executor`."""
    asyncpg_poll_executor: AsyncpgExecutor | None = None
    """PostgreSQL: reads on one connection that no request uses."""
    inline_reads: InlineReads | None = None
    """SQLite: reads a few rows without a thread."""
    thread_reads: ThreadReads | None = None
    """SQLite: searches, in threads of its own."""
    is_sharded: bool = False
    """PostgreSQL: the owners' rows are on several servers."""
    trace: Callable[[Executor], Executor] = lambda executor: executor
    """Wraps the executor of the statements on tasks where traces are made."""
    prepared_statements: bool = True
    """PostgreSQL: whether a connection keeps statements by name."""

    @property
    def dialect(self) -> str:
        """`postgresql` or `sqlite`."""
        return self.writes.dialect.name

    @property
    def executor(self) -> Executor:
        """Runs the statements on tasks."""
        return self.trace(self._executor)

    @property
    def _executor(self) -> Executor:
        inline = self.inline_reads.read if self.inline_reads else None
        search = self.thread_reads.read if self.thread_reads else None
        pooled = self.pipelined_executor or self.asyncpg_executor
        return pooled or SqlAlchemyExecutor(self.read, self.writing, inline, search)

    @property
    def poll_executor(self) -> Executor:
        """Runs the revocation poll: quickly, as it blocks the event loop each second, and waiting for no request."""
        return self.asyncpg_poll_executor or self._executor

    @property
    def upkeep_executor(self) -> Executor:
        """Runs changes beside those of tasks, on connections that no request for tasks uses."""
        return self.trace(SqlAlchemyExecutor(self.read, self.writing))

    async def read(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """Run a single read; it may be sent twice.

        Raises:
            StorageUnavailable: within DEADLINE, when the database does not respond.
        """
        async with deadline():
            try:
                return await self._execute(statement, parameters)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The pooled connection was lost, and the pool has dropped all that are as old: a read can be repeated.
            return await self._execute(statement, parameters)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: a clean exit commits, an exception rolls back.

        Raises:
            StorageUnavailable: within DEADLINE, when the database does not respond.
        """
        async with deadline(), self.writes.connect() as connection, connection.begin():
            yield connection

    async def dispose(self) -> None:
        """Close every connection."""
        for executor in (self.pipelined_executor, self.asyncpg_executor, self.asyncpg_poll_executor):
            if executor is not None:
                await executor.close()
        for reads in (self.inline_reads, self.thread_reads):
            if reads is not None:
                reads.close()
        await self.reads.dispose()
        await self.writes.dispose()

    async def _execute(self, statement: Executable, parameters: Mapping[str, Any] | None) -> CursorResult[Any]:
        async with self.reads.connect() as connection:
            return await connection.execute(statement, parameters)


def connect(
    url: str,
    *,
    is_pipelined: bool = False,
    prepared_statements: bool = True,
    is_sharded: bool = False,
    is_replica: bool = False,
) -> Database:
    """The database at an address: `postgresql://…` as libpq writes it, or `sqlite:///path`.

    `is_pipelined`: on PostgreSQL, brief statements share connections, where statements may be prepared.

    Raises:
        UnreadableAddress: it is neither, or could be read in more ways than one.
        UnsupportedParameter: it has a parameter that is not supported.
    """
    address = DatabaseAddress.parse(url)
    if address.is_sqlite:
        return _sqlite(address)
    options = ServerOptions(prepared_statements and address.has_prepared_statements, is_replica)
    is_pipelined = is_pipelined and options.prepared_statements and not is_sharded
    return evolve(_postgresql(address, options, is_pipelined=is_pipelined), is_sharded=is_sharded)


def _postgresql(address: DatabaseAddress, options: ServerOptions, *, is_pipelined: bool) -> Database:
    connection = connector(address, options)

    def pool(size: int) -> AsyncpgPool:
        run = run_alone if options.prepared_statements else run_in_transaction
        return AsyncpgPool(connection, size, run=run, keeps_standbys=options.is_replica)

    readers = READERS_BESIDE_SHARED if is_pipelined else READERS
    reads, writes, searches, poll = pools = [pool(size) for size in (readers, WRITERS, SEARCHERS, 1)]

    def give_up_server(silent: Connection) -> None:
        connection.pass_over(silent.server)
        for one in pools:
            one.terminate_idle()

    for one in pools:
        one.on_silence = give_up_server
    executor = AsyncpgExecutor(reads, writes, searches)
    return Database(
        reads=engine(connection, options, UPKEEP - 1, autocommit=True),
        writes=engine(connection, options, UPKEEP),
        connect=connection,
        prepared_statements=options.prepared_statements,
        asyncpg_executor=executor,
        pipelined_executor=pipelined(executor, connection) if is_pipelined else None,
        asyncpg_poll_executor=AsyncpgExecutor(poll, writes, poll),
    )


def _sqlite(address: DatabaseAddress) -> Database:
    # Other options in the address are for SQLAlchemy's driver alone.
    has_options, file = bool(address.options), address.file
    is_read_only = not {"mode", "immutable"}.isdisjoint(address.options)
    url = URL.create("sqlite+aiosqlite", database=address.database, query=address.options)

    def sqlite_engine(size: int, **options: Any) -> AsyncEngine:
        made = create_async_engine(
            url,
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            pool_timeout=ACQUIRE_TIMEOUT,
            connect_args={"timeout": ACQUIRE_TIMEOUT},
            **options,
        )
        if not is_read_only:
            event.listen(made.sync_engine, "do_connect", lambda *_: create_private(file))
        event.listen(made.sync_engine, "connect", configure_connection)
        return made

    writes = sqlite_engine(1)
    event.listen(writes.sync_engine, "begin", begin_immediate)
    return Database(
        reads=sqlite_engine(SQLITE_READERS, isolation_level="AUTOCOMMIT"),
        writes=writes,
        file=file,
        inline_reads=None if has_options else InlineReads(file),
        thread_reads=None if has_options else ThreadReads(file, SEARCHERS),
    )
