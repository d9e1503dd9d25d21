"""Rate limits, and how much of a limit is used."""

import re
from math import ceil
from typing import Final, Self

from attrs import frozen

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_FORM: Final = re.compile(rf"([1-9][0-9]{{0,11}})/({'|'.join(_SECONDS)})", re.ASCII)


@frozen
class RateLimit:
    """A quota policy: a number of requests per fixed window (draft-ietf-httpapi-ratelimit-headers §2)."""

    amount: int
    """Requests per window; at least 1."""
    seconds: int
    """Length of a window. Windows are consecutive and start at whole multiples of this since 1970."""
    policy: str = "default"
    """The policy's name in the response headers."""

    @classmethod
    def parse(cls, text: str, policy: str = "default") -> Self | None:
        """Parse a limit such as `600/minute` or `10/second`; return `None` for `off`.

        Raises:
            ValueError: it is neither; the message names the accepted values.
        """
        if text == "off":
            return None
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("must be a number of requests per second, minute, hour or day, such as 600/minute, or off")
        return cls(int(found[1]), _SECONDS[found[2]], policy)


@frozen
class RateLimitStatus:
    """The state of a client's limit in the current window, including the current request."""

    limit: RateLimit
    used: int
    """Requests in this window so far, including rejected ones."""
    reset: float
    """Seconds until the next window."""

    @property
    def remaining(self) -> int:
        """Number of requests still allowed in this window."""
        return max(0, self.limit.amount - self.used)

    @property
    def is_exceeded(self) -> bool:
        """Whether the current request exceeds the limit."""
        return self.used > self.limit.amount

    @property
    def is_first_excess(self) -> bool:
        """Whether the current request is the first to exceed the limit: true once per window."""
        return self.used == self.limit.amount + 1

    @property
    def reset_seconds(self) -> int:
        """`reset` rounded up to whole seconds, at least 1 (RFC 9110 §10.2.3)."""
        return max(1, ceil(self.reset))
