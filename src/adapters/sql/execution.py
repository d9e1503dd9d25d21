"""How statements on tasks, and the look for what was revoked, are run: here through SQLAlchemy.

held_execution.py does it on the driver alone.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol

from attrs import define, frozen
from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

TAKES_LONG: Final = "takes_long"
"""The execution option of statements that may look through a whole list."""

Parameters = Mapping[str, Any]
Rows = Sequence[Any]
"""Rows whose members are found by their places."""


class Change(Protocol):
    """One transaction."""

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows that a statement in it answers."""

    def abandon(self) -> None:
        """Roll back in the end, though nothing has failed."""


class Execution(Protocol):
    """Runs statements. Everything raises StorageUnavailable, within DEADLINE, when the database doesn't answer."""

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows of a statement that stands alone; it may be asked twice."""

    async def write(self, statement: Executable, parameters: Parameters) -> Rows:
        """The rows of a statement that is the whole change."""

    def change(self) -> AbstractAsyncContextManager[Change]:
        """A transaction that a clean exit commits and an exception rolls back."""


@frozen
class EngineExecution:
    """Runs them on connections of SQLAlchemy's engines."""

    _read: Callable[[Executable, Parameters], Any]
    _writing: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    _brief: Callable[[Executable, Parameters], Rows] | None = None
    """What reads at once or not at all."""

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        if self._brief is not None and not statement.get_execution_options().get(TAKES_LONG):
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
    async def change(self) -> AsyncIterator[Change]:
        """See the protocol."""
        async with self._writing() as connection:
            change = _EngineChange(connection)
            yield change
            if change.is_abandoned:
                await connection.rollback()


@define
class _EngineChange:
    _connection: AsyncConnection
    is_abandoned: bool = False

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        result = await self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else ()

    def abandon(self) -> None:
        self.is_abandoned = True
