"""Turns of the event loop, so that a flood of one kind of work can't hold up everything else."""

import asyncio
from collections import deque
from typing import Final

from attrs import define, field

from domain.errors import Overloaded

MOST_WAITING: Final = 1000
"""Of those that wait; at 0.1 ms a turn, the last one waits a few tenths of a second."""


@define
class Turns:
    """Lets one go on in each turn of the event loop, in the order in which they came."""

    _most_waiting: int = MOST_WAITING
    _waiting: "deque[asyncio.Future[None]]" = field(init=False, factory=deque)
    _is_taken: bool = field(init=False, default=False)
    """Whether somebody has this turn, or has been told to take the next."""

    async def take(self) -> None:
        """Wait for a turn of one's own; where nobody is before, that is at once.

        Raises:
            Overloaded: too many wait already.
        """
        if not self._is_taken:
            self._is_taken = True
            asyncio.get_running_loop().call_soon(self._next)
            return
        if len(self._waiting) >= self._most_waiting:
            raise Overloaded
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else: whoever waited has given up
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._is_taken = False
