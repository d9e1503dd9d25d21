"""How statements are run: through SQLAlchemy's engines, or on asyncpg's connections alone."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol

import asyncpg
from attrs import define, frozen
from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.compiled_statements import ASYNCPG, Compile, Parameters, Rows, compile_statement
from adapters.sql.errors import DEADLINE, as_unavailable, deadline
from adapters.sql.postgresql import BEGIN


class Transaction(Protocol):
    """An open transaction."""

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        """Run a statement in this transaction and return its rows."""

    def abandon(self) -> None:
        """Roll back at the end, even without an exception."""


class Executor(Protocol):
    """Runs statements. Every method raises StorageUnavailable, within DEADLINE, when the database does not respond."""

    def read(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """Run a single read of a few rows in autocommit; it may be sent twice."""

    def read_many(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """The same for many rows, or for a few that take long to find."""

    def search(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """The same for a read of a whole list, on connections of its own: no number of them keeps a `read` waiting."""

    def write(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """Run a single statement that is a whole transaction."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: a clean exit commits, an exception rolls back."""


@frozen
class SqlAlchemyExecutor:
    """Runs statements on SQLAlchemy's engines; on SQLite, short reads inside the event loop."""

    _read: Callable[[Executable, Parameters], Awaitable[CursorResult[Any]]]
    _connect: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    """Opens a connection in a transaction."""
    _read_inline: Callable[[Executable, Parameters], Rows] | None = None
    """Reads without waiting, or raises sqlite3.OperationalError."""
    _search: Callable[[Executable, Parameters], Awaitable[Rows]] | None = None

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        if self._read_inline is not None:
            # Too slow, locked or broken: the engine waits for it, or raises the error that says so.
            with contextlib.suppress(sqlite3.OperationalError):
                return self._read_inline(statement, parameters)
        return (await self._read(statement, parameters)).all()

    read_many = read

    async def search(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        if self._search is not None:
            return await self._search(statement, parameters)
        return (await self._read(statement, parameters)).all()

    async def write(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        async with self.transaction() as transaction:
            return await transaction.run(statement, parameters)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See the protocol."""
        async with self._connect() as connection:
            transaction = _SqlAlchemyTransaction(connection)
            yield transaction
            if transaction.is_abandoned:
                await connection.rollback()


@define
class _SqlAlchemyTransaction:
    _connection: AsyncConnection
    is_abandoned: bool = False

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        result = await self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else ()

    def abandon(self) -> None:
        self.is_abandoned = True


@define
class AsyncpgExecutor:
    """Runs statements on asyncpg's connections, without SQLAlchemy's pool, cursors and result objects.

    Reads, writes and searches use different connections: writers that wait for a lock keep no reader waiting.
    """

    reads: AsyncpgPool
    writes: AsyncpgPool
    searches: AsyncpgPool
    compile: Compile = compile_statement

    def read(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self._run(self.reads, statement, parameters, is_repeatable=True)

    read_many = read

    def search(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self._run(self.searches, statement, parameters, is_repeatable=True)

    def write(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self._run(self.writes, statement, parameters, is_repeatable=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See the protocol."""
        async with deadline():
            connection = await self.writes.acquire(asyncio.get_running_loop().time() + DEADLINE)
            give_back = self.writes.give_up
            try:
                await connection.execute(BEGIN)
                transaction = _AsyncpgTransaction(connection, self.compile)
                try:
                    yield transaction
                except Exception as error:
                    await connection.execute("ROLLBACK")
                    give_back = partial(self.writes.release_after, error=error)
                    raise
                await connection.execute("ROLLBACK" if transaction.is_abandoned else "COMMIT")
                give_back = self.writes.release
            finally:
                give_back(connection)

    async def close(self) -> None:
        """Close every connection."""
        for pool in (self.reads, self.writes, self.searches):
            await pool.close()

    def _run(
        self, pool: AsyncpgPool, statement: Executable, parameters: Parameters, *, is_repeatable: bool
    ) -> Coroutine[Any, Any, Rows]:
        compiled = self.compile(statement, ASYNCPG)
        return self.fetch(pool, compiled.sql, compiled.arguments(parameters), is_repeatable=is_repeatable)

    async def fetch(
        self,
        pool: AsyncpgPool,
        sql: str,
        arguments: Sequence[Any],
        *,
        is_repeatable: bool,
        until: float | None = None,
    ) -> Rows:
        """Run one statement as its own transaction; see AsyncpgPool.fetch.

        Raises:
            StorageUnavailable: see Executor.
        """
        try:
            return await pool.fetch(sql, arguments, is_repeatable=is_repeatable, until=until)
        except Exception as error:
            if (unavailable := as_unavailable(error)) is None:
                raise
            raise unavailable from error


@define
class _AsyncpgTransaction:
    _connection: "asyncpg.Connection"
    _compile: Compile
    is_abandoned: bool = False

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        compiled = self._compile(statement, ASYNCPG)
        rows: Rows = await self._connection.fetch(compiled.sql, *compiled.arguments(parameters))
        return rows

    def abandon(self) -> None:
        self.is_abandoned = True


async def delete_in_batches(delete_batch: Callable[[], Awaitable[int]], size: int) -> int:
    """Delete rows in transactions of at most `size` rows each; return how many were deleted.

    `delete_batch` is one transaction and returns how many rows it deleted; a batch that is not full is the last.
    """
    deleted = 0
    while True:
        count = await delete_batch()
        deleted += count
        if count < size:
            return deleted
