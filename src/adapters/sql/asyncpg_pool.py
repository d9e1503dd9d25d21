"""Driver connections that stay open, lent to one user at a time: what SQLAlchemy's pool does, at a tenth of its cost.

They are in autocommit, and nothing is reset when one comes back: whatever a transaction sets is local to it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any, Final

import asyncpg
from attrs import Factory, define, field

from adapters.sql.errors import ACQUIRE_TIMEOUT, DEADLINE

_LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
"""What is raised where a connection has gone: by the network, by the driver, or by a server that shuts down.

The driver's internal error is among them: it meets a server that has said goodbye while nobody was listening.
"""

_PAUSE: Final = 0.1
"""Seconds until somebody else may try after an attempt to connect has failed: a server that starts is not besieged."""


@define
class AsyncpgPool:
    """At most `size` connections, opened when they are first needed and again when they have died.

    Whoever finds all of them lent waits in a queue, first come, first served, for ACQUIRE_TIMEOUT at most. Where no
    connection can be made, who tried is details so at once; the next one in the queue tries after a pause.
    """

    open: Callable[[], Awaitable["asyncpg.Connection"]]
    size: int
    _idle: "list[asyncpg.Connection]" = Factory(list)
    _free: int = field(init=False)
    _waiting: "deque[asyncio.Future[None]]" = Factory(deque)
    _deadlines: "dict[asyncpg.Connection, float]" = field(init=False, factory=dict)
    """By what time of the event loop's each that is asked something has to have answered."""
    _next_deadline: float = field(init=False, default=inf)
    _timer: asyncio.TimerHandle | None = field(init=False, default=None)
    _is_closed: bool = False

    def __attrs_post_init__(self) -> None:
        self._free = self.size

    async def fetch(self, sql: str, arguments: Sequence[Any], *, is_repeatable: bool = False) -> Sequence[Any]:
        """The rows that one statement answers, a transaction of its own; a repeatable one may be asked twice.

        Raises:
            asyncpg.PostgresError: the server refuses.
            OSError or what else is in _LOST: there is no connection, or no answer within DEADLINE.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE
        while True:
            connection = self._at_once() or await self.acquire(until)
            self._deadlines[connection] = until
            try:
                if until < self._next_deadline:
                    self._enforce_deadlines()
                rows: Sequence[Any] = await connection.fetch(sql, *arguments)
            except _LOST:
                self.terminate(connection)
                self._discard_idle()  # most likely they went the same way, and only don't know yet
                if not is_repeatable or loop.time() >= until:
                    raise
                is_repeatable = False
            except asyncpg.PostgresError:
                self.release(connection)
                raise
            except BaseException:
                self.terminate(connection)
                raise
            else:
                self.release(connection)
                return rows
            finally:
                del self._deadlines[connection]

    def _enforce_deadlines(self) -> None:
        """Cut what has not answered in time, and look again when the next will not have.

        To cut the connection is all that a time-out has to do, and one timer is enough for all: asyncio.timeout() costs
        a tenth of a read, a timer each a hundredth.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [connection for connection, until in self._deadlines.items() if until <= now]
        self._next_deadline = min((until for until in self._deadlines.values() if until > now), default=inf)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._next_deadline == inf else loop.call_at(self._next_deadline, self._enforce_deadlines)
        for connection in overdue:
            connection.terminate()

    def _at_once(self) -> "asyncpg.Connection | None":
        """A connection, where one is idle and alive."""
        if self._free > 0 and self._idle and not self._idle[-1].is_closed():
            self._free -= 1
            return self._idle.pop()
        return None

    async def acquire(self, until: float) -> "asyncpg.Connection":
        """A connection that is alive as far as anybody knows; whoever has it gives it back, or discards it.

        It is there by that time of the event loop's, or not at all.

        Raises:
            OSError, asyncpg.PostgresError or asyncpg.InterfaceError: there is none to be had.
        """
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait()
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        try:
            async with asyncio.timeout_at(until):
                return await self.open()
        except BaseException:
            asyncio.get_running_loop().call_later(_PAUSE, self._wake_next)
            raise

    def release(self, connection: "asyncpg.Connection") -> None:
        """Take back a connection that has finished what it was asked."""
        if self._is_closed:
            connection.terminate()
        else:
            self._idle.append(connection)
        self._wake_next()

    def terminate(self, connection: "asyncpg.Connection") -> None:
        """Take back a connection that was left in the middle of something: nobody can use it again."""
        connection.terminate()
        self._wake_next()

    async def close(self) -> None:
        """Close what is idle, and later what comes back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle), return_exceptions=True)

    def _discard_idle(self) -> None:
        while self._idle:
            self._idle.pop().terminate()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        time_out = loop.call_later(ACQUIRE_TIMEOUT, _give_up, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._wake_next()  # it came in the very moment in which nobody wanted it any more
            raise
        finally:
            time_out.cancel()

    def _wake_next(self) -> None:
        """Let the next one have the turn that has become free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _give_up(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_exception(TimeoutError("every connection is busy"))
