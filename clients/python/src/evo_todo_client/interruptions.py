"""Why a watch has no stream (any more), and how long it waits."""

import random
import re
from dataclasses import dataclass
from typing import Final

from evo_todo_client.problems import ApiProblem, Unreachable

_TRANSIENT: Final = frozenset({200, 408, 429})
_SERVER_ERROR: Final = 500
_LONGEST_RETRY_AFTER: Final = 86_400.0
_ABOUT_TOKEN: Final = re.compile("token|expire|revoke|session|account|purge", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How a watch waits, in seconds."""

    silence: float = 20.0
    """Without a byte, before the stream counts as broken: the API sends a comment every 15 s."""
    proof: float = 10.0
    """From `ready` on, after which whatever arrives shows that the stream is not held back."""
    retry: float = 3.0
    """The first backoff, until the API says another one; doubled with each failure."""
    max_backoff: float = 30.0
    restart: float = 5.0
    """The time over which clients come back when the service has stopped."""
    poll: float = 5.0
    """Between two polls, give or take a half."""
    polling: float = 60.0
    """Before a stream is tried again where they are held back; doubled each time, up to ten times as long."""

    def backoff(self, retry: float, failures: int) -> float:
        """The longest delay after so many failures."""
        return min(self.max_backoff, retry * 2.0 ** max(0, failures - 1))


@dataclass(frozen=True, slots=True)
class Interruption:
    """What to do before the next attempt."""

    spread: float | None = None
    """It is made within so many seconds after `retry_after`; `None`: at once."""
    is_held_back: bool = False
    """Something on the way holds events back."""
    retry_after: float = 0.0

    def delay(self) -> float | None:
        """Seconds. Full jitter, so that clients that were cut off together do not come back together."""
        if self.spread is None:
            return None
        return min(self.retry_after, _LONGEST_RETRY_AFTER) + random.random() * self.spread  # noqa: S311  (no secret)


def is_transient(error: ApiProblem | Unreachable) -> bool:
    """Whether the same request may succeed later. Status 200: something on the way answered instead of the service."""
    return isinstance(error, Unreachable) or error.status in _TRANSIENT or error.status >= _SERVER_ERROR


def is_about_token(reason: str | None) -> bool:
    """Whether a stream was ended because its token is no longer valid: the client needs another one, and no pause."""
    return reason is not None and _ABOUT_TOKEN.search(reason) is not None
