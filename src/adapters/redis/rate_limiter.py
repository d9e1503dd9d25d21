"""Request counters that all workers on all machines share, in Redis or Valkey."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from attrs import define, field
from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio import BlockingConnectionPool

from application.background import Backoff
from application.ports import LocalRateLimiter
from domain.rate_limit import RateLimit, RateLimitStatus

logger = logging.getLogger(__name__)

TIMEOUT: Final = 0.2
"""Seconds that a request waits for its count."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 30.0
"""Seconds between two attempts while the store is unavailable, before jitter."""
CONNECTIONS: Final = 20
"""Of one worker."""
PREFIX: Final = "evo-todo"
"""Of each key, so that the database can be shared with other programs."""


class Counters(Protocol):
    """The store's counters."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter that expires `expiry` seconds after its first use, and return its value.

        Raises StorageError when the store is unavailable.
        """


@define
class RedisRateLimiter:
    """The port's RateLimiter on a shared store; while that is unavailable, `fallback` counts in this process.

    Each request costs one round trip. While the store fails, one request per backoff tries it again; the others go to
    the fallback without waiting, which goes on from the store's last counts.
    """

    _counters: Counters
    _fallback: LocalRateLimiter
    _now: Callable[[], float] = time.time
    _monotonic: Callable[[], float] = time.monotonic
    _timeout: float = TIMEOUT
    """Seconds."""
    _backoff: Backoff = field(kw_only=True, factory=lambda: Backoff(FIRST_BACKOFF, MAX_BACKOFF))
    _retry_at: float = field(init=False, default=float("-inf"))

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        known_failures = self._backoff.failures
        if known_failures:
            if self._monotonic() < self._retry_at:
                return await self._fallback.hit(key, limit)
            self._retry_at = self._monotonic() + self._backoff.maximum  # this request tries; the others don't wait
        number, elapsed = divmod(self._now(), limit.seconds)
        try:
            async with asyncio.timeout(self._timeout):
                used = await self._counters.incr(f"{key}/{limit.policy}/{limit.seconds}/{number:.0f}", limit.seconds)
        except (TimeoutError, OSError, StorageError) as error:
            if self._backoff.failures == known_failures:  # else a concurrent request has counted this failure
                self._note_failure(error)
            return await self._fallback.hit(key, limit)
        except asyncio.CancelledError:
            self._retry_at = float("-inf")  # the attempt has no result: the next request tries
            raise
        if self._backoff.failures:
            logger.info("the limits' store is back")
            self._backoff.reset()
        self._fallback.note(key, limit, used)
        return RateLimitStatus(limit, used, limit.seconds - elapsed)

    def known(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        """See the port."""
        return self._fallback.known(key, limit)

    def _note_failure(self, error: Exception) -> None:
        if not self._backoff.failures:
            cause = error.__cause__ or error
            logger.warning("the limits' store is away: each worker counts alone", extra={"error": type(cause).__name__})
        self._retry_at = self._monotonic() + self._backoff.fail()


@asynccontextmanager
async def redis_rate_limiter(
    url: str,
    fallback: LocalRateLimiter,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    *,
    timeout: float = TIMEOUT,  # noqa: ASYNC109  (of each request, not of this function)
) -> AsyncIterator[RedisRateLimiter]:
    """A RedisRateLimiter on the store at an address: `redis://`, `rediss://`, `valkey://` or `valkeys://`.

    It connects when it is first used.
    """
    address = url.replace("valkey", "redis", 1)  # the protocol is the same, and so is the client library
    pool = BlockingConnectionPool.from_url(
        address,
        max_connections=CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
    )
    try:
        yield RedisRateLimiter(
            RedisStorage(
                f"async+{address}",
                wrap_exceptions=True,
                implementation="redispy",
                key_prefix=PREFIX,
                connection_pool=pool,  # type: ignore[arg-type]  # accepted, but missing in the options' annotation
            ),
            fallback,
            now,
            monotonic,
            timeout,
        )
    finally:
        await pool.aclose()
