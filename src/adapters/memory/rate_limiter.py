"""Request counters in this process."""

import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from domain.rate_limit import RateLimit, RateLimitStatus

MAX_KEYS: Final = 100_000
"""Keys in one window, about 15 MB; further ones evict the oldest."""


@define
class _Window:
    number: float
    counts: dict[str, int] = field(factory=dict)


@define
class MemoryRateLimiter:
    """The port's LocalRateLimiter for one process: each window is a dictionary, which the next window replaces."""

    _now: Callable[[], float] = time.time
    _max_keys: int = MAX_KEYS
    _windows: dict[tuple[str, int], _Window] = field(init=False, factory=dict)
    """The current window of each limit."""

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        return self.hit_now(key, limit)

    def hit_now(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        counts, left = self._window(limit)
        used = counts.get(key, 0) + 1
        if used == 1 and len(counts) >= self._max_keys:
            del counts[next(iter(counts))]
        counts[key] = used
        return RateLimitStatus(limit, used, left)

    def known(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        """See the port."""
        counts, left = self._window(limit)
        used = counts.get(key)
        return None if used is None else RateLimitStatus(limit, used, left)

    def note(self, key: str, limit: RateLimit, used: int) -> None:
        """See the port."""
        counts, _ = self._window(limit)
        if key not in counts and len(counts) >= self._max_keys:
            del counts[next(iter(counts))]
        counts[key] = used

    def _window(self, limit: RateLimit) -> tuple[dict[str, int], float]:
        """The counts of the limit's current window, and the seconds until its end."""
        number, elapsed = divmod(self._now(), limit.seconds)
        window = self._windows.get((limit.policy, limit.seconds))
        if window is None or window.number != number:
            window = self._windows[limit.policy, limit.seconds] = _Window(number)
        return window.counts, limit.seconds - elapsed
