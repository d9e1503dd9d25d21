"""A queue in front of signature verification, so that a flood of new tokens does not block the event loop."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

from domain.errors import Overloaded

MAX_WAITING: Final = 1000
"""Waiters; at 0.1 ms per verification, the last one waits a few tenths of a second."""
IDLE_ITERATION: Final = 60e-6
"""Seconds: an event-loop iteration that takes no longer had no other work. One request takes longer."""
MAX_WAIT: Final = 0.02
"""Seconds after which a waiter is released in the next iteration, idle or not."""


@define
class VerificationQueue:
    """FIFO queue that releases at most one waiter per event-loop iteration, preferring idle iterations.

    Other work goes first, until the first waiter has waited for `max_wait`: then each iteration releases one.
    """

    _max_waiting: int = MAX_WAITING
    _idle_iteration: float = IDLE_ITERATION
    _max_wait: float = MAX_WAIT
    _clock: Callable[[], float] = time.perf_counter
    _waiters: "deque[tuple[float, asyncio.Future[None]]]" = field(init=False, factory=deque)
    """When each began to wait, and the future that releases it."""
    _is_scheduled: bool = field(init=False, default=False)
    """Whether the next iteration will call `_release_next`."""
    _iteration_began: float = field(init=False, default=0.0)

    async def acquire(self) -> None:
        """Wait to be released: with no other work, that is the next iteration.

        Raises:
            Overloaded: `max_waiting` others are waiting already.
        """
        if len(self._waiters) >= self._max_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        released, now = loop.create_future(), self._clock()
        self._waiters.append((now, released))
        if not self._is_scheduled:
            self._is_scheduled, self._iteration_began = True, now
            loop.call_soon(self._release_next, loop)
        await released

    def _release_next(self, loop: asyncio.AbstractEventLoop) -> None:
        previous_began, self._iteration_began = self._iteration_began, self._clock()
        while self._waiters and self._waiters[0][1].done():  # cancelled while waiting
            self._waiters.popleft()
        if not self._waiters:
            self._is_scheduled = False
            return
        since, released = self._waiters[0]
        was_idle = self._iteration_began - previous_began <= self._idle_iteration
        if was_idle or self._iteration_began - since >= self._max_wait:
            self._waiters.popleft()
            released.set_result(None)
        loop.call_soon(self._release_next, loop)
