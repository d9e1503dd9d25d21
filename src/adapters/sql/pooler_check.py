"""Whether a connection pooler is between the service and PostgreSQL, and whether it knows prepared statements."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from enum import Enum, auto
from typing import Any, Final

import asyncpg

_NAME: Final = "evo_todo_doctor"
_ATTEMPTS: Final = 5
"""Clients that may begin a transaction until one of them is given the connection of the first."""
_WHO: Final = "SELECT pg_backend_pid()"


class Pooler(Enum):
    """What is between the service and PostgreSQL."""

    NONE = auto()
    FITTING = auto()
    """A pooler that a client notices nothing of."""
    NAMELESS = auto()
    """A pooler that gives a client another connection for each transaction, and takes no account of its statements."""


async def find_pooler(connect: Callable[[], Awaitable[Any]]) -> Pooler:
    """Find out with a few connections of its own, and leave nothing behind.

    A pooler has a process number of its own. If one client's statement is in the way of another client's of that name,
    they have been given the same connection, one transaction after the other.

    Raises:
        OSError, asyncpg.PostgresError or asyncpg.InterfaceError: no connection can be opened.
    """
    async with AsyncExitStack() as closing:

        async def opened() -> Any:
            connection = await connect()
            closing.callback(connection.terminate)
            return connection

        first = await opened()
        async with first.transaction():
            server = await _server_of(first)
            if server == first.get_server_pid():
                return Pooler.NONE
            statement = await first.prepare(_WHO, name=_NAME)
        for _ in range(_ATTEMPTS):
            other = await opened()
            await other.execute("BEGIN")
            if await _server_of(other) == server:
                return await _with_the_same_name(other)
        del statement
        return Pooler.FITTING


async def _server_of(connection: Any) -> int:
    """The process of the server that has this transaction; asked without a prepared statement."""
    statement = await connection.prepare(_WHO, name="")
    return int(await statement.fetchval())


async def _with_the_same_name(other: Any) -> Pooler:
    try:
        await other.prepare(_WHO, name=_NAME)
    except asyncpg.DuplicatePreparedStatementError:
        # The same connection still: a transaction that has failed keeps it, and DEALLOCATE works in a new one.
        await other.execute(f"ROLLBACK; BEGIN; DEALLOCATE {_NAME}; COMMIT")
        return Pooler.NAMELESS
    return Pooler.FITTING
