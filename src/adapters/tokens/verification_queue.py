"""A queue in front of signature verification, so that a flood of new tokens does not block the event loop."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Final, TypeVar

from attrs import define, field, frozen
from cachetools import LRUCache

from domain.errors import InvalidSecurityEvent, InvalidToken, Overloaded

T = TypeVar("T")

MAX_WAITING: Final = 4000
"""Checks; at 0.3 ms for one and its response, the last one waits about a second."""
IDLE_ITERATION: Final = 60e-6
"""Seconds: an event-loop iteration that takes no longer had no other work. One request takes longer."""
MAX_WAIT: Final = 0.02
"""Seconds of waiting after which each iteration makes a check, idle or not."""
LINES: Final = 32
UNKNOWN: Final = 1
"""The line of clients with as many good tokens as bad ones, mostly none."""
MAX_CLIENTS: Final = 10_000
"""Clients whose good and bad tokens are remembered; the least recently seen is forgotten."""


@frozen(eq=False)
class _Waiter:
    check: Callable[[], Any]
    context: Context
    result: "asyncio.Future[Any]"

    def run(self) -> int:
        """Make the check and hand its result over; returns 1 when the token was good, -1 when it was bad, else 0."""
        try:
            self.result.set_result(self.context.run(self.check))
        except (InvalidToken, InvalidSecurityEvent) as error:
            self.result.set_exception(error)
            return -1
        except Exception as error:  # noqa: BLE001  (raised where the result is awaited)
            self.result.set_exception(error)
            return 0
        return 1


@define
class VerificationQueue:
    """Makes at most one check per event-loop iteration, preferring idle iterations; clients take turns.

    Clients that wait stand in lines: those with more good tokens than bad ones in the first, unknown ones in the
    second, and those with more bad tokens in later ones. The first line that is not empty goes first; in a line, each
    client has one check in turn. So nobody waits for a second token of another, however many it sends; and however many
    clients flood, those that are known to bring good tokens go before them. Of unknown clients, every other time the
    newest goes first: when thousands come at once, who comes later does not wait for all of them.

    Other work goes first, until there have been waiters for `max_wait`: then each iteration makes a check.
    """

    _max_waiting: int = MAX_WAITING
    _idle_iteration: float = IDLE_ITERATION
    _max_wait: float = MAX_WAIT
    _clock: Callable[[], float] = time.perf_counter
    _lines: "tuple[deque[str], ...]" = field(init=False, factory=lambda: tuple(deque() for _ in range(LINES)))
    """The clients with waiters; each is in one line."""
    _waiters: "dict[str, deque[_Waiter]]" = field(init=False, factory=dict)
    """Of each client."""
    _size: int = field(init=False, default=0)
    """Of all of them together."""
    _balance: "LRUCache[str, int]" = field(init=False, factory=lambda: LRUCache(MAX_CLIENTS))
    """How many more good tokens than bad ones each client has brought."""
    _takes_newest: bool = field(init=False, default=False)
    """Whether the newest unknown client goes first, not the oldest."""
    _is_scheduled: bool = field(init=False, default=False)
    """Whether the next iteration will call `_check_next`."""
    _iteration_began: float = field(init=False, default=0.0)
    _waiting_since: float = field(init=False, default=0.0)
    """When the queue was last empty."""

    @property
    def waiting(self) -> int:
        """Checks that wait."""
        return self._size

    async def run(self, check: Callable[[], T], client: str = "") -> T:
        """Wait for this client's turn and return the check's result: with no other work, that is the next iteration.

        Raises:
            Overloaded: too many others wait already.
            Exception: what the check raises; InvalidToken and InvalidSecurityEvent count against the client.
        """
        if self._size >= self._max_waiting:
            self._make_room(client)
        loop = asyncio.get_running_loop()
        waiter = _Waiter(check, copy_context(), loop.create_future())
        if client in self._waiters:
            self._waiters[client].append(waiter)
        else:
            self._waiters[client] = deque([waiter])
            self._lines[self._line_of(client)].append(client)
        self._size += 1
        if not self._is_scheduled:
            self._is_scheduled = True
            self._iteration_began = self._waiting_since = self._clock()
            loop.call_soon(self._check_next, loop)
        result: T = await waiter.result
        return result

    def _line_of(self, client: str) -> int:
        return min(max(0, UNKNOWN - self._balance.get(client, 0)), LINES - 1)

    def _make_room(self, client: str) -> None:
        """Refuse the newest token of who has most of them in the last line, unless the given client is no better.

        Raises:
            Overloaded: the given client is in a later line, or in the same with as many tokens.
        """
        number, line = next((place, line) for place, line in reversed([*enumerate(self._lines)]) if line)
        worst = max(line, key=lambda one: len(self._waiters[one]))
        waiters = self._waiters[worst]
        if (self._line_of(client), len(self._waiters.get(client, ())) + 1) >= (number, len(waiters)):
            raise Overloaded
        dropped = waiters.pop()
        self._size -= 1
        if not waiters:
            del self._waiters[worst]
            line.remove(worst)
        if not dropped.result.done():
            dropped.result.set_exception(Overloaded())

    def _check_next(self, loop: asyncio.AbstractEventLoop) -> None:
        previous_began, self._iteration_began = self._iteration_began, self._clock()
        if not self._size:
            self._is_scheduled = False
            return
        was_idle = self._iteration_began - previous_began <= self._idle_iteration
        if was_idle or self._iteration_began - self._waiting_since >= self._max_wait:
            self._check_first()
        loop.call_soon(self._check_next, loop)

    def _check_first(self) -> None:
        line = next(line for line in self._lines if line)
        self._takes_newest = not self._takes_newest
        client = line.pop() if self._takes_newest and line is self._lines[UNKNOWN] else line.popleft()
        waiters = self._waiters[client]
        while waiters:
            waiter = waiters.popleft()
            self._size -= 1
            if not waiter.result.done():  # else cancelled while waiting
                self._note(client, waiter.run())
                break
        if waiters:
            self._lines[self._line_of(client)].append(client)
        else:
            del self._waiters[client]

    def _note(self, client: str, outcome: int) -> None:
        balance = self._balance.get(client, 0) + outcome
        self._balance[client] = max(-LINES, min(LINES, balance))
