"""Counters that all workers of all machines share, in Redis or Valkey."""

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

from application.ports import RateLimiter
from domain.rate_limit import RateLimit, RateLimitStatus

logger = logging.getLogger(__name__)

TIME_OUT: Final = 0.2
"""Seconds that a request waits for its count at most."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 30.0
CONNECTIONS: Final = 20
"""Of one worker."""
PREFIX: Final = "evo-todo"
"""Before each key, so that others can use the same database."""


class Counters(Protocol):
    """What is asked of the store."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter that is gone `expiry` seconds after its first use; StorageError when it can't be had."""


@define
class RedisRateLimiter:
    """The port's RateLimiter on a store that may be away: then a meter of this process stands in.

    Costs one round trip. While the store fails, one request per back-off asks it again; nobody else waits for it.
    """

    _counters: Counters
    _stand_in: RateLimiter
    _now: Callable[[], float] = time.time
    _monotonic: Callable[[], float] = time.monotonic
    _failures: int = field(init=False, default=0)
    _retry_at: float = field(init=False, default=float("-inf"))

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        if self._failures:
            if self._monotonic() < self._retry_at:
                return await self._stand_in.hit(key, limit)
            self._retry_at = self._monotonic() + MAX_BACKOFF  # this request asks; the others go on as before
        known_failures = self._failures
        number, into = divmod(self._now(), limit.seconds)
        try:
            async with asyncio.timeout(TIME_OUT):
                used = await self._counters.incr(f"{key}/{limit.policy}/{limit.seconds}/{number:.0f}", limit.seconds)
        except (TimeoutError, OSError, StorageError) as error:
            if self._failures == known_failures:  # else another, under way at the same time, has told of it
                self._note_failure(error)
            return await self._stand_in.hit(key, limit)
        except asyncio.CancelledError:
            self._retry_at = float("-inf")  # nothing was learned: the next request asks
            raise
        if self._failures:
            logger.info("the limits' store is back")
            self._failures = 0
        return RateLimitStatus(limit, used, limit.seconds - into)

    def _note_failure(self, error: Exception) -> None:
        backoff = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures, 10))
        if not self._failures:
            cause = error.__cause__ or error
            logger.warning("the limits' store is away: each worker counts alone", extra={"error": type(cause).__name__})
        self._failures += 1
        self._retry_at = self._monotonic() + backoff


@asynccontextmanager
async def redis_rate_limiter(
    url: str,
    stand_in: RateLimiter,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[RedisRateLimiter]:
    """A meter on the store of that address (`redis://`, `rediss://`, `valkey://`, `valkeys://`); connects when used."""
    address = url.replace("valkey", "redis", 1)  # the same protocol; one client library speaks to both
    pool = BlockingConnectionPool.from_url(
        address,
        max_connections=CONNECTIONS,
        timeout=TIME_OUT,
        socket_timeout=TIME_OUT,
        socket_connect_timeout=TIME_OUT,
    )
    try:
        yield RedisRateLimiter(
            RedisStorage(
                f"async+{address}",
                wrap_exceptions=True,
                implementation="redispy",
                key_prefix=PREFIX,
                connection_pool=pool,  # type: ignore[arg-type]  # taken, but not among the types of the options
            ),
            stand_in,
            now,
            monotonic,
        )
    finally:
        await pool.aclose()
