"""How statements on tasks, and the look for what was revoked, are run: here through SQLAlchemy.

held_execution.py does it on the driver alone.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any, Final, Protocol

import asyncpg
from attrs import define, frozen
from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.errors import DEADLINE, as_unavailable, deadline

FULL_SCAN: Final = "takes_long"
"""The executor option of statements that may look through a whole list."""

Parameters = Mapping[str, Any]
Rows = Sequence[Any]
"""Rows whose members are found by their places."""


class Transaction(Protocol):
    """One transaction."""

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows that a statement in it answers."""

    def abandon(self) -> None:
        """Roll back in the end, though nothing has failed."""


class Executor(Protocol):
    """Runs statements. Everything raises StorageUnavailable, within DEADLINE, when the database doesn't answer."""

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows of a statement that stands alone; it may be asked twice."""

    async def write(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows of a statement that is the whole change."""

    def change(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that a clean exit commits and an exception rolls back."""


@frozen
class SqlAlchemyExecutor:
    """Runs them on connections of SQLAlchemy's engines."""

    _read: Callable[[Executable, Parameters], Any]
    _writing: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    _brief: Callable[[Executable, Parameters], Rows] | None = None
    """What reads at once or not at all."""

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        if self._brief is not None and not statement.get_execution_options().get(FULL_SCAN):
            # What can't be read at once, and why, is for the other way to find out: it can wait.
            with contextlib.suppress(sqlite3.OperationalError):
                return self._brief(statement, parameters)
        result: CursorResult[Any] = await self._read(statement, parameters)
        return result.all()

    async def write(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        async with self.change() as change:
            return await change.run(statement, parameters)

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Transaction]:
        """See the protocol."""
        async with self._writing() as connection:
            change = _SqlAlchemyTransaction(connection)
            yield change
            if change.is_abandoned:
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


_DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so


@frozen
class CompiledStatement:
    """A statement as the driver takes it: its text, and the names of its arguments in their order."""

    sql: str
    names: tuple[str, ...]

    def arguments(self, parameters: Parameters) -> list[Any]:
        """The values of the names, in the driver's order."""
        return [*map(parameters.__getitem__, self.names)]


@cache
def compile_for_asyncpg(statement: Executable) -> CompiledStatement:
    """The statement, compile_for_asyncpg once."""
    found: SQLCompiler = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # what is executed can be
    return CompiledStatement(str(found), tuple(found.positiontup or ()))


@define
class AsyncpgExecutor:
    """Reads and writes have connections of their own: writers who wait for each other keep no reader waiting."""

    reads: AsyncpgPool
    writes: AsyncpgPool
    compile: Callable[[Executable], CompiledStatement] = compile_for_asyncpg

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        found = self.compile(statement)
        try:
            return await self.reads.fetch(found.sql, found.arguments(parameters), is_repeatable=True)
        except Exception as error:
            if (passing := as_unavailable(error)) is None:
                raise
            raise passing from error

    async def write(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        found = self.compile(statement)
        try:
            return await self.writes.fetch(found.sql, found.arguments(parameters))
        except Exception as error:
            if (passing := as_unavailable(error)) is None:
                raise
            raise passing from error

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Transaction]:
        """See the protocol."""
        async with deadline():
            connection = await self.writes.acquire(asyncio.get_running_loop().time() + DEADLINE)
            is_clean = False
            try:
                await connection.execute("BEGIN")
                change = _AsyncpgTransaction(connection, self.compile)
                try:
                    yield change
                except Exception:
                    await connection.execute("ROLLBACK")
                    is_clean = True
                    raise
                await connection.execute("ROLLBACK" if change.is_abandoned else "COMMIT")
                is_clean = True
            finally:
                (self.writes.release if is_clean else self.writes.terminate)(connection)

    async def close(self) -> None:
        """Close every connection."""
        await self.reads.close()
        await self.writes.close()


@define
class _AsyncpgTransaction:
    _connection: "asyncpg.Connection"
    _compile: Callable[[Executable], CompiledStatement]
    is_abandoned: bool = False

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        found = self._compile(statement)
        rows: Rows = await self._connection.fetch(found.sql, *found.arguments(parameters))
        return rows

    def abandon(self) -> None:
        self.is_abandoned = True
