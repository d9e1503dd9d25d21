"""The client of a request without a verified token: its address, and whether it may go on."""

from attrs import frozen

from application.ports import RateLimiter
from domain.errors import TooManyRequests
from domain.rate_limit import RateLimit


@frozen
class Address:
    """The port's Client, and the key under which its requests without a valid token are counted."""

    identity: str
    limit: RateLimit | None
    limiter: RateLimiter

    @property
    def key(self) -> str:
        """In the rate limiter."""
        return f"address:{self.identity}"

    def ensure_within_limit(self) -> None:
        """See the port."""
        status = None if self.limit is None else self.limiter.known(self.key, self.limit)
        if status is not None and status.is_exceeded:
            raise TooManyRequests(status)
