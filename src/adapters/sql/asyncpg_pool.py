"""A pool of asyncpg connections: what SQLAlchemy's pool does, at a tenth of its cost.

The connections are in autocommit, and nothing is reset when one is released: everything a transaction sets is local
to it. One that turns out to be of a standby is given up: the address may lead to another server by now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg
from attrs import Factory, define, field

from adapters.sql.errors import ACQUIRE_TIMEOUT, CANCEL_TIMEOUT, CLOSE_TIMEOUT, DEADLINE
from adapters.sql.pool_limits import Deadlines, Places, Standbys
from adapters.sql.postgresql import CONFLICT, CONNECTION_LOST, Run, run_alone

CONNECT_PAUSE: Final = 0.1
"""Seconds between a failed attempt to connect and the next one, so that a starting server is not flooded."""


@define
class AsyncpgPool:
    """At most `size` connections, opened when they are first needed and reopened when they are lost.

    When all of them are in use, callers wait in a FIFO queue, at most `acquire_timeout` seconds. When a connection
    can't be opened, its caller gets the error at once, and the next in the queue tries after `connect_pause`.
    """

    open: Callable[[], Awaitable["asyncpg.Connection"]]
    size: int
    acquire_timeout: float = ACQUIRE_TIMEOUT
    """Seconds to wait for a free connection."""
    statement_timeout: float = DEADLINE
    """Seconds that `fetch` may take, including the wait for a connection."""
    connect_pause: float = CONNECT_PAUSE
    """Seconds between a failed attempt to connect and the next one."""
    run: Run = run_alone
    """How `fetch` runs a statement on a connection."""
    on_silence: "Callable[[asyncpg.Connection], None]" = lambda _: None
    """Called when a connection's server does not even respond to a cancel request: it is lost, with all connections."""
    keeps_standbys: bool = False
    """Whether connections to a standby are kept like all others: those of a replica."""
    _idle: "list[asyncpg.Connection]" = field(init=False, factory=list)
    _places: Places = field(
        init=False, default=Factory(lambda self: Places(self.size, self.acquire_timeout), takes_self=True)
    )
    _deadlines: Deadlines = field(init=False, factory=Deadlines)
    _standbys: Standbys = field(init=False, factory=Standbys)
    _closing: "set[asyncio.Task[None]]" = field(init=False, factory=set)
    _is_closed: bool = field(init=False, default=False)

    @property
    def in_use(self) -> int:
        """Connections that callers have."""
        return self.size - max(self._places.free, 0)

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection."""
        return len(self._places.waiters)

    @property
    def waits(self) -> int:
        """How often a caller had to wait for a connection."""
        return self._places.waits

    @property
    def timeouts(self) -> int:
        """How many statements have taken too long."""
        return self._deadlines.timeouts

    async def fetch(
        self, sql: str, arguments: Sequence[Any], *, is_repeatable: bool = False, until: float | None = None
    ) -> Sequence[Any]:
        """Run one statement as its own transaction and return its rows; a repeatable one may be sent twice.

        `until` is the event loop's time by which it must have finished; by default, after `statement_timeout`.

        Raises:
            asyncpg.PostgresError: the server rejects the statement.
            TimeoutError: no free connection, or no result within `statement_timeout`; the server ends the statement.
            OSError or another of CONNECTION_LOST: no connection can be opened, or it was lost.
        """
        loop = asyncio.get_running_loop()
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # a coroutine that waits has one
        until = loop.time() + self.statement_timeout if until is None else until
        while True:
            connection = self._acquire_idle() or await self.acquire(until)
            self._deadlines.tasks[task] = until
            try:
                if until < self._deadlines.next:
                    self._deadlines.enforce()
                rows = await self.run(connection, sql, arguments)
            except CONNECTION_LOST:
                self.terminate(connection)
                self.terminate_idle()  # most likely they are lost too, unnoticed so far
                if not is_repeatable or loop.time() >= until:
                    raise
                is_repeatable = False
            except asyncpg.PostgresError as error:
                self.release_after(connection, error)
                if not isinstance(error, CONFLICT) or loop.time() >= until:
                    raise
            except BaseException as error:
                self.give_up(connection)
                if isinstance(error, asyncio.CancelledError) and self._deadlines.uncancel(task):
                    raise TimeoutError("the statement takes too long") from error
                raise
            else:
                self.release(connection)
                return rows
            finally:
                self._deadlines.forget(task)

    async def acquire(self, until: float) -> "asyncpg.Connection":
        """A connection that has not been noticed to be lost; the caller must `release` or `terminate` it.

        `until` is the event loop's time by which a new connection must be open.

        Raises:
            OSError, asyncpg.PostgresError or asyncpg.InterfaceError: no connection can be had.
        """
        await self._places.take()
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed() and self._is_usable(connection):
                return connection
            self._end(connection)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(until):
                connection = await self.open()
        except BaseException:
            loop.call_later(self.connect_pause, self._places.give_back)
            raise
        if not self.keeps_standbys:
            self._standbys.note(connection, loop.time())
        return connection

    def release(self, connection: "asyncpg.Connection") -> None:
        """Return a connection that has finished its statement or transaction."""
        if self._is_closed or not self._is_usable(connection):
            self._end(connection)
        else:
            self._idle.append(connection)
        self._places.give_back()

    def release_after(self, connection: "asyncpg.Connection", error: BaseException) -> None:
        """Return a connection whose server has rejected a statement, and which is in no transaction any more.

        If the server accepts no change, this and the idle connections are closed: another may be the primary by now.
        """
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            self.terminate(connection)
            self.terminate_idle()
        else:
            self.release(connection)

    def terminate(self, connection: "asyncpg.Connection") -> None:
        """Return a connection that is lost."""
        self._end(connection)
        self._places.give_back()

    def give_up(self, connection: "asyncpg.Connection") -> None:
        """Return a connection whose statement is not waited for any longer.

        A server does not notice that a client has gone. So it is asked to cancel the statement, and the place is free
        once it has, or after CANCEL_TIMEOUT. A late cancel request could hit the next statement: the connection closes.
        """
        self._standbys.forget(connection)
        closing = asyncio.get_running_loop().create_task(self._cancel_and_close(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the idle connections now, and wait for the others, CANCEL_TIMEOUT seconds at most.

        Who still uses one may be a task that nobody waits for. If it outlived its event loop, nobody would cancel its
        statement.
        """
        self._is_closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close(timeout=CLOSE_TIMEOUT) for connection in idle), return_exceptions=True)
        taken = 0
        try:
            async with asyncio.timeout(CANCEL_TIMEOUT):
                while taken < self.size:
                    await self._places.take()
                    taken += 1
        except TimeoutError:
            pass  # it is closed when it is released
        finally:
            for _ in range(taken):
                self._places.give_back()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _cancel_and_close(self, connection: "asyncpg.Connection") -> None:
        try:
            await connection.close(timeout=CANCEL_TIMEOUT)  # which cancels a statement, and waits until it has ended
        except (*CONNECTION_LOST, asyncpg.PostgresError):
            self.terminate_idle()  # the server does not respond: most likely they are lost too
            self.on_silence(connection)
        finally:
            self._places.give_back()

    def _acquire_idle(self) -> "asyncpg.Connection | None":
        """An idle connection without waiting; `None` if there is none."""
        places = self._places
        if places.free > 0 and self._idle and not self._standbys and not self._idle[-1].is_closed():
            places.free -= 1
            return self._idle.pop()
        return None

    def _is_usable(self, connection: "asyncpg.Connection") -> bool:
        return not self._standbys or self._standbys.is_usable(connection, asyncio.get_running_loop().time())

    def _end(self, connection: "asyncpg.Connection") -> None:
        self._standbys.forget(connection)
        connection.terminate()

    def terminate_idle(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._end(self._idle.pop())
