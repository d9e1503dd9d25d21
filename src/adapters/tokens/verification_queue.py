"""VerificationQueue of the event loop, so that a flood of one kind of work can't hold up everything else."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

from domain.errors import Overloaded

MAX_WAITING: Final = 1000
"""Of those that wait; at 0.1 ms a turn, the last one waits a few tenths of a second."""

IDLE_TURN: Final = 60e-6
"""Seconds within which a turn of the event loop is over when nobody had work in it: one request takes longer."""

MAX_WAIT: Final = 0.02
"""Seconds after which whoever waits goes on in the next turn, quiet or not."""


@define
class VerificationQueue:
    """Lets one go on in each turn of the event loop, in the order in which they came, after one that was quiet.

    What others do goes first, until somebody has waited for MAX_WAIT: then one goes on in every turn.
    """

    _most_waiting: int = MAX_WAITING
    _clock: Callable[[], float] = time.perf_counter
    _waiting: "deque[tuple[float, asyncio.Future[None]]]" = field(init=False, factory=deque)
    """Since when, and who."""
    _is_going: bool = field(init=False, default=False)
    """Whether the next turn is waited for."""
    _began: float = field(init=False, default=0.0)
    """When the present turn of the loop did."""

    async def acquire(self) -> None:
        """Wait for a turn of one's own: where nothing is going on, the next.

        Raises:
            Overloaded: too many wait already.
        """
        if len(self._waiting) >= self._most_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        turn, now = loop.create_future(), self._clock()
        self._waiting.append((now, turn))
        if not self._is_going:
            self._is_going, self._began = True, now
            loop.call_soon(self._next, loop)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        began, self._began = self._began, self._clock()
        while self._waiting and self._waiting[0][1].done():  # whoever waited has given up
            self._waiting.popleft()
        if not self._waiting:
            self._is_going = False
            return
        since, turn = self._waiting[0]
        if self._began - began <= IDLE_TURN or self._began - since >= MAX_WAIT:
            self._waiting.popleft()
            turn.set_result(None)
        loop.call_soon(self._next, loop)
