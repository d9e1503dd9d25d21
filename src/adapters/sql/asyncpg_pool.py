"""A pool of asyncpg connections: what SQLAlchemy's pool does, at a tenth of its cost.

The connections are in autocommit, and nothing is reset when one is released: everything a transaction sets is local
to it. One that turns out to be of a standby is given up: the address may lead to another server by now.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any, Final

import asyncpg
from attrs import Factory, define, field

from adapters.sql.errors import ACQUIRE_TIMEOUT, CANCEL_TIMEOUT, CLOSE_TIMEOUT, DEADLINE
from adapters.sql.postgresql import CONFLICT, CONNECTION_LOST, Run, Standbys, run_alone

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
    _free: int = field(init=False, default=Factory(lambda self: self.size, takes_self=True))
    """How many more callers may have a connection."""
    _waiting: "deque[asyncio.Future[None]]" = field(init=False, factory=deque)
    _standbys: Standbys = field(init=False, factory=Standbys)
    _closing: "set[asyncio.Task[None]]" = field(init=False, factory=set)
    _deadlines: "dict[asyncio.Task[Any], float]" = field(init=False, factory=dict)
    """For each task that runs a statement, the event loop's time by which it must have finished."""
    _overdue: "set[asyncio.Task[Any]]" = field(init=False, factory=set)
    """The tasks that were cancelled because of their deadline."""
    waits: int = field(init=False, default=0)
    """How often a caller had to wait for a connection."""
    timeouts: int = field(init=False, default=0)
    """How many statements have taken too long."""
    _next_deadline: float = field(init=False, default=inf)
    _timer: asyncio.TimerHandle | None = field(init=False, default=None)
    _is_closed: bool = field(init=False, default=False)

    @property
    def in_use(self) -> int:
        """Connections that callers have."""
        return self.size - max(self._free, 0)

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection."""
        return len(self._waiting)

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
            self._deadlines[task] = until
            try:
                if until < self._next_deadline:
                    self._enforce_deadlines()
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
                is_overdue = isinstance(error, asyncio.CancelledError) and task in self._overdue
                if is_overdue and task.uncancel() == 0:  # cancelled by nobody else
                    raise TimeoutError("the statement takes too long") from error
                raise
            else:
                self.release(connection)
                return rows
            finally:
                del self._deadlines[task]
                self._overdue.discard(task)

    async def acquire(self, until: float) -> "asyncpg.Connection":
        """A connection that has not been noticed to be lost; the caller must `release` or `terminate` it.

        `until` is the event loop's time by which a new connection must be open.

        Raises:
            OSError, asyncpg.PostgresError or asyncpg.InterfaceError: no connection can be had.
        """
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait()
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
            loop.call_later(self.connect_pause, self._wake_next)
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
        self._wake_next()

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
        self._wake_next()

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
        """Close the idle connections now, and the others when they are released."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        closing = (connection.close(timeout=CLOSE_TIMEOUT) for connection in idle)
        await asyncio.gather(*closing, *self._closing, return_exceptions=True)

    async def _cancel_and_close(self, connection: "asyncpg.Connection") -> None:
        try:
            await connection.close(timeout=CANCEL_TIMEOUT)  # which cancels a statement, and waits until it has ended
        except (*CONNECTION_LOST, asyncpg.PostgresError):
            self.terminate_idle()  # the server does not respond: most likely they are lost too
            self.on_silence(connection)
        finally:
            self._wake_next()

    def _acquire_idle(self) -> "asyncpg.Connection | None":
        """An idle connection without waiting; `None` if there is none."""
        if self._free > 0 and self._idle and not self._standbys and not self._idle[-1].is_closed():
            self._free -= 1
            return self._idle.pop()
        return None

    def _enforce_deadlines(self) -> None:
        """Cancel the tasks that are overdue, and set the timer for the next deadline.

        One timer serves all: asyncio.timeout() costs a tenth of a read, a timer for each statement some hundredths.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [task for task, until in self._deadlines.items() if until <= now and not task.cancelling()]
        self._next_deadline = min((until for until in self._deadlines.values() if until > now), default=inf)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._next_deadline == inf else loop.call_at(self._next_deadline, self._enforce_deadlines)
        self.timeouts += len(overdue)
        for task in overdue:
            self._overdue.add(task)
            task.cancel()

    def _is_usable(self, connection: "asyncpg.Connection") -> bool:
        return not self._standbys or self._standbys.is_usable(connection, asyncio.get_running_loop().time())

    def _end(self, connection: "asyncpg.Connection") -> None:
        self._standbys.forget(connection)
        connection.terminate()

    def terminate_idle(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._end(self._idle.pop())

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        self.waits += 1
        timer = loop.call_later(self.acquire_timeout, _time_out, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._wake_next()  # it was woken and cancelled in the same iteration of the event loop
            raise
        finally:
            timer.cancel()

    def _wake_next(self) -> None:
        """Hand the place that has become free to the first waiter."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


def _time_out(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError("every connection is busy"))
