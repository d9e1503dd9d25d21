"""What only PostgreSQL needs: how a connection is opened, to which of several servers, and what a standby is."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
from attrs import define, field, frozen
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.sql.address import DatabaseAddress
from adapters.sql.errors import ACQUIRE_TIMEOUT, CLOSE_TIMEOUT, DEADLINE
from adapters.sql.sqlstates import READ_ONLY, sqlstate_of

STANDBY_LIFETIME: Final = 1.0
"""Seconds that a connection to a standby is used: the address may lead to another server by then."""

BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Begins a transaction, whatever isolation is the database's default."""

CONNECTION_LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""Raised when a connection is lost: by the network, by the driver, or by a server that shuts down.

The driver's internal error is among them: it is raised after a server has closed an idle connection.
"""
CONFLICT: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Raised when a transaction conflicts with another one; it has changed nothing, and can be repeated."""

_OTHER_SERVER: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
)
"""Raised when the next server is to be tried: this one does not respond, starts, stops, or is of another kind."""
_OURS: Final = frozenset({"pgbouncer", "schema", "statement_cache_size", "gssencmode", "load_balance_hosts"})
"""Parameters of an address that the driver would send to the server."""


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no annotations
    """A connection that knows which of the address's servers it was made to."""

    server: int = 0


class _SqlAlchemyConnection(Connection):
    """A connection that is not slow to close when its server is dead: SQLAlchemy would wait two seconds."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  (asyncpg's signature)
        """Close within CLOSE_TIMEOUT at most."""
        await super().close(timeout=min(timeout or CLOSE_TIMEOUT, CLOSE_TIMEOUT))


def is_standby(connection: "asyncpg.Connection") -> bool:
    """Whether the server has said that it is a standby; it says so, and when it is promoted, since PostgreSQL 14."""
    return getattr(connection.get_settings(), "in_hot_standby", "off") == "on"


Run = Callable[["asyncpg.Connection", str, Sequence[Any]], Awaitable[Sequence[Any]]]
"""Runs one statement with these arguments as its own transaction, and returns its rows."""


def run_alone(connection: "asyncpg.Connection", sql: str, arguments: Sequence[Any]) -> Awaitable[Sequence[Any]]:
    """Run one statement in autocommit."""
    rows: Awaitable[Sequence[Any]] = connection.fetch(sql, *arguments)
    return rows


async def run_in_transaction(connection: "asyncpg.Connection", sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
    """Run one statement between BEGIN and COMMIT: without, a pooler may run its parts on different connections."""
    await connection.execute(BEGIN)
    try:
        rows: Sequence[Any] = await connection.fetch(sql, *arguments)
        await connection.execute("COMMIT")
    except asyncpg.PostgresError:
        await connection.execute("ROLLBACK")
        raise
    return rows


Open = Callable[[type[Connection], float, Mapping[str, str]], Awaitable[Connection]]
"""Opens a connection of this class to one server, within so many seconds, with these settings of the server."""


@define
class Connector:
    """Opens connections to the first server of an address that accepts one, beginning with the last that did."""

    _servers: Sequence[Open]
    _first: int = field(init=False, default=0)

    async def __call__(self, kind: type[Connection] = Connection, **settings: str) -> Connection:
        """Open a connection, with these settings of the server beside the others.

        Each server has an equal share of the time that is left.

        Raises:
            OSError, asyncpg.PostgresError or asyncpg.InterfaceError: as the last server that was tried.
        """
        until = asyncio.get_running_loop().time() + DEADLINE
        count = len(self._servers)
        for left in range(count, 0, -1):
            now = self._first
            try:
                opened = await self._servers[now](kind, (until - asyncio.get_running_loop().time()) / left, settings)
            except _OTHER_SERVER:
                self.pass_over(now)
                if left == 1:
                    raise
            except asyncio.CancelledError:
                self.pass_over(now)
                raise
            else:
                opened.server = now
                return opened
        raise AssertionError("an address has a server")

    def pass_over(self, server: int) -> None:
        """Begin with the next server from now on, if the one that does not respond is still the first."""
        if server == self._first:
            self._first = (self._first + 1) % len(self._servers)


@frozen
class ServerOptions:
    """What every connection is opened with."""

    prepared_statements: bool
    """`False`: statements have no names, so that a pooler may run each transaction on another connection."""
    is_replica: bool = False
    """Whether a standby is what is looked for."""
    settings: dict[str, str] = field(factory=lambda: {"application_name": "evo-todo"})


def connector(address: DatabaseAddress, options: ServerOptions) -> Connector:
    """Opens connections to the servers of an address; of several, only to one of the kind that is looked for."""
    is_trusted_by_system = address.options.get("sslrootcert") == "system"
    without = _OURS | ({"sslrootcert", "sslmode"} if is_trusted_by_system else set())
    more: dict[str, Any] = {} if options.prepared_statements else {"statement_cache_size": 0}
    if is_trusted_by_system:
        more["ssl"] = ssl.create_default_context()
    if len(address.servers) > 1 and "target_session_attrs" not in address.options:
        more["target_session_attrs"] = "prefer-standby" if options.is_replica else "read-write"

    def opener(dsn: str) -> Open:
        def opened(kind: type[Connection], timeout: float, settings: Mapping[str, str]) -> Awaitable[Connection]:
            connecting: Awaitable[Connection] = asyncpg.connect(
                dsn, timeout=timeout, connection_class=kind, server_settings={**options.settings, **settings}, **more
            )
            return connecting

        return opened

    return Connector([opener(address.dsn(server, without=without)) for server in address.servers])


def engine(connect: Connector, options: ServerOptions, size: int, *, autocommit: bool = False) -> AsyncEngine:
    """SQLAlchemy's engine on such connections; it gives up those that can't write."""
    # Without names, a statement's parts may only be sent within one transaction.
    isolation = "AUTOCOMMIT" if autocommit and options.prepared_statements else "READ COMMITTED"
    arguments = {"async_creator_fn": lambda: connect(_SqlAlchemyConnection)}
    made = create_async_engine(
        "postgresql+asyncpg://",
        creator=lambda: _DRIVER.connect(**arguments, **({} if options.prepared_statements else _NAMELESS)),
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        pool_timeout=ACQUIRE_TIMEOUT,
        isolation_level=isolation,
    )
    if not options.is_replica:
        event.listen(made.sync_engine, "checkout", _renew_standby)
    event.listen(made.sync_engine, "handle_error", _discard_read_only)
    return made


_DRIVER: Final = PGDialect_asyncpg.import_dbapi()  # type: ignore[no-untyped-call]  # SQLAlchemy has no annotations there
_NAMELESS: Final[dict[str, Any]] = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: ""}


def _renew_standby(connection: Any, record: Any, _: Any) -> None:
    if is_standby(connection.driver_connection) and time.time() - record.starttime > STANDBY_LIFETIME:
        raise DisconnectionError("the server is a standby")


def _discard_read_only(context: Any) -> None:
    if sqlstate_of(context.original_exception) == READ_ONLY:
        context.is_disconnect = True
