"""How much may be asked for in how much time, and how much of that is left."""

import re
from math import ceil
from typing import Final, Self

from attrs import frozen

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_FORM: Final = re.compile(rf"([1-9][0-9]{{0,11}})/({'|'.join(_SECONDS)})", re.ASCII)


@frozen
class RateLimit:
    """A quota policy: so many requests in each window of so many seconds (draft-ietf-httpapi-ratelimit-headers §2)."""

    amount: int
    """Requests; at least 1."""
    seconds: int
    """The length of a window. Windows follow each other, and begin at whole multiples of it since 1970."""
    policy: str = "default"
    """The policy's name on the wire."""

    @classmethod
    def parse(cls, text: str, policy: str = "default") -> Self | None:
        """Read `600/minute`, `10/second` and the like; `None` for `off`.

        Raises:
            ValueError: it is neither; the message says what is taken.
        """
        if text == "off":
            return None
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("takes a number of requests per second, minute, hour or day, such as 600/minute, or off")
        return cls(int(found[1]), _SECONDS[found[2]], policy)


@frozen
class RateLimitStatus:
    """What a limit leaves to somebody in the present window, the request at hand counted."""

    limit: RateLimit
    used: int
    """Requests in this window so far, refused ones among them."""
    reset: float
    """Seconds until the next window."""

    @property
    def remaining(self) -> int:
        """How many more requests are allowed in this window."""
        return max(0, self.limit.amount - self.used)

    @property
    def is_exceeded(self) -> bool:
        """Whether the request at hand is one too many."""
        return self.used > self.limit.amount

    @property
    def is_first_excess(self) -> bool:
        """Whether it is the first one too many: true once in a window."""
        return self.used == self.limit.amount + 1

    @property
    def reset_seconds(self) -> int:
        """The same as `reset` in whole seconds, never too early (RFC 9110 §10.2.3)."""
        return max(1, ceil(self.reset))
