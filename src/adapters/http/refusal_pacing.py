"""Refusals a few at a time, so that a flood of requests that prove nothing does not delay everybody else's."""

import asyncio
from collections import deque
from typing import Final

from attrs import define, field

PER_ITERATION: Final = 8
"""Refusals in one event-loop iteration; at 0.1 ms each, an iteration stays below a few milliseconds."""


@define
class RefusalPacing:
    """Lets so many callers pass in each event-loop iteration; the others wait, in order of arrival.

    An iteration that answers two thousand refusals takes 0.2 s, and whatever needs several iterations, such as a
    query, takes as many times that. A connection's next request is read after the response to this one, so that
    waiting here also limits how many requests an iteration reads.
    """

    _per_iteration: int = PER_ITERATION
    _passed: int = field(init=False, default=0)
    """In this iteration."""
    _waiters: "deque[asyncio.Future[None]]" = field(init=False, factory=deque)
    _is_scheduled: bool = field(init=False, default=False)

    async def wait(self) -> None:
        """Return at once while this iteration has room, else in the first iteration that has."""
        self._schedule()
        if self._passed < self._per_iteration and not self._waiters:
            self._passed += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._begin_iteration)

    def _begin_iteration(self) -> None:
        self._is_scheduled, self._passed = False, 0
        while self._waiters and self._passed < self._per_iteration:
            waiter = self._waiters.popleft()
            if not waiter.done():  # else cancelled while waiting
                waiter.set_result(None)
                self._passed += 1
        if self._waiters:
            self._schedule()
