"""Work beside the requests: the port of background tasks, and the backoff between attempts."""

import random
from collections.abc import Callable
from typing import Final, NewType, Protocol

from attrs import define, field

_MAX_DOUBLINGS: Final = 16


class BackgroundTask(Protocol):
    """Work that each worker does beside its requests, until it is cancelled."""

    async def prepare(self) -> None:
        """Run before the first request. Must not fail if a dependency is unavailable."""

    async def run(self) -> None:
        """Run until cancelled."""


BackgroundWork = NewType("BackgroundWork", tuple[BackgroundTask, ...])
"""All background tasks of a worker."""


@define
class Backoff:
    """Exponential backoff with jitter: each failure in a row doubles the delay, up to a maximum.

    The jitter adds up to a quarter, so that processes which failed together do not retry together.
    """

    first: float
    """Seconds after the first failure."""
    maximum: float
    """Seconds, before jitter."""
    _jitter: Callable[[], float] = random.random
    """A number from 0 to 1."""
    failures: int = field(init=False, default=0)
    """Consecutive failures so far."""

    def fail(self) -> float:
        """Count a failure and return the seconds to wait before the next attempt."""
        delay = min(self.maximum, self.first * 2.0 ** min(self.failures, _MAX_DOUBLINGS))
        self.failures += 1
        return delay * (1 + self._jitter() / 4)

    def reset(self) -> None:
        """Forget the failures: an attempt has succeeded."""
        self.failures = 0
