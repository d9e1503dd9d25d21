"""A pool's limits: how many callers have a connection at once, and until when statements and standbys are used."""

import asyncio
from collections import deque
from math import inf
from typing import Any

import asyncpg
from attrs import Factory, define, field

from adapters.sql.postgresql import STANDBY_LIFETIME, is_standby


@define(eq=False)
class Places:
    """As many places as a pool may have connections; who gets none waits in a FIFO queue, at most `timeout` seconds."""

    size: int
    timeout: float
    free: int = field(init=False, default=Factory(lambda self: self.size, takes_self=True))
    """How many more callers may have a connection."""
    waiters: "deque[asyncio.Future[None]]" = field(init=False, factory=deque)
    waits: int = field(init=False, default=0)
    """How often a caller had to wait."""

    async def take(self) -> None:
        """Take a place. Raises TimeoutError if none becomes free in time."""
        if self.free > 0:
            self.free -= 1
        else:
            await self._wait()

    def give_back(self) -> None:
        """Hand a place that has become free to the first waiter."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.free += 1

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self.waiters.append(waiter)
        self.waits += 1
        timer = loop.call_later(self.timeout, _time_out, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.give_back()  # it was woken and cancelled in the same iteration of the event loop
            raise
        finally:
            timer.cancel()


def _time_out(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError("every connection is busy"))


@define(eq=False)
class Deadlines:
    """Cancels the tasks that take too long.

    One timer serves all: asyncio.timeout() costs a tenth of a read, a timer for each statement some hundredths.
    """

    tasks: "dict[asyncio.Task[Any], float]" = field(init=False, factory=dict)
    """For each task that runs a statement, the event loop's time by which it must have finished."""
    next: float = field(init=False, default=inf)
    """The earliest of them, by which the timer goes; to be followed by `enforce` when a task has an earlier one."""
    timeouts: int = field(init=False, default=0)
    """How many tasks have taken too long."""
    _overdue: "set[asyncio.Task[Any]]" = field(init=False, factory=set)
    """The tasks that were cancelled here."""
    _timer: asyncio.TimerHandle | None = field(init=False, default=None)

    def enforce(self) -> None:
        """Cancel the tasks that are overdue, and set the timer for the next deadline."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [task for task, until in self.tasks.items() if until <= now and not task.cancelling()]
        self.next = min((until for until in self.tasks.values() if until > now), default=inf)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self.next == inf else loop.call_at(self.next, self.enforce)
        self.timeouts += len(overdue)
        for task in overdue:
            self._overdue.add(task)
            task.cancel()

    def uncancel(self, task: "asyncio.Task[Any]") -> bool:
        """Undo the cancellation of an overdue task; `False` if it is not overdue, or was cancelled by others, too."""
        return task in self._overdue and task.uncancel() == 0

    def forget(self, task: "asyncio.Task[Any]") -> None:
        """The task has finished its statement."""
        del self.tasks[task]
        self._overdue.discard(task)


@define
class Standbys:
    """The connections of a pool that were made to a standby, and until when each is used."""

    _until: "dict[asyncpg.Connection, float]" = field(init=False, factory=dict)

    def __bool__(self) -> bool:
        return bool(self._until)

    def note(self, connection: "asyncpg.Connection", now: float) -> None:
        """Remember a new connection if its server is a standby."""
        if is_standby(connection):
            self._until[connection] = now + STANDBY_LIFETIME

    def is_usable(self, connection: "asyncpg.Connection", now: float) -> bool:
        """Whether it is none, or one of a server that was promoted, or may be used a little longer."""
        if not is_standby(connection):
            self.forget(connection)
        return now < self._until.get(connection, inf)

    def forget(self, connection: "asyncpg.Connection") -> None:
        """It is closed."""
        self._until.pop(connection, None)
