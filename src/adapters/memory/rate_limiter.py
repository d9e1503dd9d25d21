"""Counters in this process."""

import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from domain.rate_limit import RateLimit, RateLimitStatus

MAX_KEYS: Final = 100_000
"""Keys that a window remembers, some 15 MB; then the oldest makes room."""


@define
class _Window:
    number: float
    counts: dict[str, int] = field(factory=dict)


@define
class MemoryRateLimiter:
    """The port's LocalRateLimiter: a window is a dictionary, and with the window goes the dictionary."""

    _now: Callable[[], float] = time.time
    _windows: dict[tuple[str, int], _Window] = field(init=False, factory=dict)
    """The present one of each limit."""

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        return self.hit_now(key, limit)

    def hit_now(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        number, into = divmod(self._now(), limit.seconds)
        window = self._windows.get((limit.policy, limit.seconds))
        if window is None or window.number != number:
            window = self._windows[limit.policy, limit.seconds] = _Window(number)
        counts = window.counts
        used = counts.get(key, 0) + 1
        if used == 1 and len(counts) >= MAX_KEYS:
            del counts[next(iter(counts))]
        counts[key] = used
        return RateLimitStatus(limit, used, limit.seconds - into)
