"""Statements that travel together: brief ones share a few connections to PostgreSQL.

What one turn of the event loop asks of a connection leaves in one write. A Sync of its own follows each statement, so
that it is a transaction of its own, with its own user for row-level security. Answers come in the order of the
statements. Whatever is unusual is left to the other executor: without all of this, only speed is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from operator import attrgetter
from typing import Any, Final

import asyncpg
from attrs import define, field
from sqlalchemy import Executable

from adapters.sql.asyncpg_pool import AsyncpgPool
from adapters.sql.compiled_statements import ASYNCPG, Parameters, Rows
from adapters.sql.errors import CANCEL_TIMEOUT, DEADLINE, DRIVER_ERRORS, as_unavailable
from adapters.sql.executors import AsyncpgExecutor, Transaction
from adapters.sql.postgresql import is_standby
from adapters.sql.shared_connection import HandedOver, NotHere, SharedConnection
from adapters.sql.statements import PLANNER

SHARED_READERS: Final = 2
"""PostgreSQL connections for brief reads that share them."""
SHARED_WRITERS: Final = 4
"""PostgreSQL connections for brief writes that share them: as many wait for the disk at the same time."""
READ_BATCH: Final = 16
"""Reads of one turn of the event loop that go to one connection, before another one is chosen."""
WRITE_BATCH: Final = 4
"""The same for writes: one connection's wait for the disk one after the other."""
MAX_WAITING: Final = 64
"""Statements of one connection without an answer; those beyond go to the other executor."""
OPEN_PAUSE: Final = 2.0
"""Seconds between two attempts to open connections."""
LIMITS: Final = {
    "statement_timeout": "500ms",
    "lock_timeout": "20ms",
    "default_transaction_isolation": "read committed",
}
"""Settings of the connections: what takes longer, or waits for a lock, would keep the others waiting.

The isolation is named because a statement without BEGIN has the database's default, under which it could conflict.
"""

_LOAD: Final = attrgetter("load")


@define
class Pipeline:
    """At most `size` shared connections. They are opened in the background, and again when they are lost."""

    open: Callable[[], Awaitable[HandedOver]]
    size: int
    batch: int
    cancel: Callable[[int], Awaitable[Any]]
    """Has the server cancel what one of its processes runs."""
    connections: list[SharedConnection] = field(init=False, factory=list)
    _latest: SharedConnection | None = field(init=False, default=None)
    """The one that was chosen last."""
    _opening: "asyncio.Task[None] | None" = field(init=False, default=None)
    _next_attempt: float = field(init=False, default=0.0)
    """When connections may be opened again, by the event loop's clock."""
    _closing: "set[asyncio.Task[None]]" = field(init=False, factory=set)
    _is_off: bool = field(init=False, default=False)

    @property
    def waiting(self) -> int:
        """Statements without an answer."""
        return sum(connection.load for connection in self.connections)

    def choose(self) -> SharedConnection | None:
        """The connection for the next statement; `None` if it has to go elsewhere."""
        latest = self._latest
        if latest is not None and 0 < latest.unsent < self.batch:
            return latest
        if len(self.connections) < self.size:
            self._open_in_background()
        least = min(self.connections, key=_LOAD, default=None)
        self._latest = None if least is None or least.load >= MAX_WAITING else least
        return self._latest

    async def opened(self) -> None:
        """Wait until the connections are open, or could not be opened."""
        self._open_in_background()
        if self._opening is not None:
            await asyncio.wait([self._opening])

    async def close(self) -> None:
        """Close every connection."""
        self._is_off = True
        tasks = [*self._closing, *(connection.close() for connection in self.connections)]
        if self._opening is not None:
            self._opening.cancel()
            tasks.append(self._opening)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open_in_background(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._is_off and loop.time() >= self._next_attempt and (self._opening is None or self._opening.done()):
            self._next_attempt = loop.time() + OPEN_PAUSE
            self._opening = loop.create_task(self._open_missing())

    async def _open_missing(self) -> None:
        try:
            while len(self.connections) < self.size:
                opened = await self.open()
                if is_standby(opened):  # for the other executor, which looks for a server that can be written to
                    opened.terminate()
                    return
                self.connections.append(SharedConnection(opened, self._drop))
        except asyncpg.ProtocolViolationError:
            self._is_off = True  # a pooler that does not take the settings
        except (OSError, *DRIVER_ERRORS):
            return  # the other executor has the words for it

    def _drop(self, connection: SharedConnection, *, is_overdue: bool) -> None:
        self.connections.remove(connection)
        if is_overdue:
            closing = asyncio.get_running_loop().create_task(self._cancel_and_terminate(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _cancel_and_terminate(self, connection: SharedConnection) -> None:
        """A server does not notice that a client has gone: its process would go on."""
        try:
            async with asyncio.timeout(CANCEL_TIMEOUT):
                await self.cancel(connection.server_pid)
        except (OSError, *DRIVER_ERRORS):
            return
        finally:
            connection.terminate()


@define
class PipelinedExecutor:
    """Runs brief statements on shared connections, and everything else on `others`."""

    others: AsyncpgExecutor
    reads: Pipeline
    writes: Pipeline

    def read(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self._run(self.reads, self.others.reads, statement, parameters, is_repeatable=True)

    def read_many(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self.others.read_many(statement, parameters)

    def search(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self.others.search(statement, parameters)

    def write(self, statement: Executable, parameters: Parameters) -> Coroutine[Any, Any, Rows]:
        """See the protocol."""
        return self._run(self.writes, self.others.writes, statement, parameters, is_repeatable=False)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """See the protocol."""
        return self.others.transaction()

    async def opened(self) -> None:
        """Wait until the shared connections are open, or could not be opened."""
        await asyncio.gather(self.reads.opened(), self.writes.opened())

    async def close(self) -> None:
        """Close the shared connections."""
        await asyncio.gather(self.reads.close(), self.writes.close())

    async def _run(
        self,
        pipeline: Pipeline,
        pool: AsyncpgPool,
        statement: Executable,
        parameters: Parameters,
        *,
        is_repeatable: bool,
    ) -> Rows:
        compiled = self.others.compile(statement, ASYNCPG)
        arguments = compiled.arguments(parameters)
        until = asyncio.get_running_loop().time() + DEADLINE
        if (connection := pipeline.choose()) is not None:
            try:
                return await connection.run(compiled.sql, arguments)
            except NotHere:
                pass
            except Exception as error:
                if not (is_repeatable and isinstance(error, OSError)):
                    if (unavailable := as_unavailable(error)) is None:
                        raise
                    raise unavailable from error
        return await self.others.fetch(pool, compiled.sql, arguments, is_repeatable=is_repeatable, until=until)


def pipelined(others: AsyncpgExecutor, connect: Callable[..., Awaitable[Any]]) -> PipelinedExecutor:
    """The executor that uses shared connections beside these others.

    `connect` opens a connection of a class, with settings.
    """

    def pipeline(size: int, batch: int) -> Pipeline:
        def cancel(process: int) -> Awaitable[Any]:
            return others.reads.fetch("SELECT pg_cancel_backend($1)", (process,))

        return Pipeline(lambda: connect(HandedOver, **PLANNER, **LIMITS), size, batch, cancel)

    return PipelinedExecutor(others, pipeline(SHARED_READERS, READ_BATCH), pipeline(SHARED_WRITERS, WRITE_BATCH))
