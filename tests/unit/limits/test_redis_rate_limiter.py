"""While the store is unavailable: no request is refused for that, and only one per backoff waits for it."""

import asyncio
import logging
from itertools import pairwise

import pytest
from attrs import define, field
from limits.errors import StorageError

from adapters.memory.access import MemoryRateLimiter
from adapters.redis.rate_limiter import FIRST_BACKOFF, MAX_BACKOFF, RedisRateLimiter
from application.background import Backoff
from tests.contracts.rate_limiters import LIMIT, ManualTime


@define
class FlakyCounters:
    """A store that works, fails or hangs, as `mood` says."""

    mood: str = "well"
    calls: int = 0
    count: int = 0
    is_silent: asyncio.Event = field(factory=asyncio.Event)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        assert (key.split("/")[:3], expiry) == (["a", "default", "60"], 60)
        self.calls += 1
        await asyncio.sleep(0)
        if self.mood == "failing":
            cause = ConnectionError("redis://:password@store.example.com")
            raise StorageError(cause) from cause
        if self.mood == "silent":
            self.is_silent.set()
            await asyncio.Event().wait()
        self.count += amount
        return self.count


@pytest.fixture
def clock() -> ManualTime:
    return ManualTime()


@pytest.fixture
def counters() -> FlakyCounters:
    return FlakyCounters()


@pytest.fixture
def limiter(counters: FlakyCounters, clock: ManualTime) -> RedisRateLimiter:
    backoff = Backoff(FIRST_BACKOFF, MAX_BACKOFF, jitter=lambda: 0.0)
    return RedisRateLimiter(counters, MemoryRateLimiter(clock), clock, clock, backoff=backoff)


@pytest.mark.parametrize("mood", ["failing", "silent"])
async def test_while_the_store_is_unavailable_this_process_counts_and_the_store_is_tried_once(
    mood: str, counters: FlakyCounters, clock: ManualTime
) -> None:
    limiter = RedisRateLimiter(counters, MemoryRateLimiter(clock), clock, clock, timeout=0.001)
    counters.mood = mood
    assert [(await limiter.hit("a", LIMIT)).used for _ in range(4)] == [1, 2, 3, 4]
    assert counters.calls == 1


async def test_attempts_back_off_and_are_made_by_one_request_at_a_time(
    limiter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime
) -> None:
    counters.mood = "failing"
    tried_at = []
    for _ in range(400):
        before = counters.calls
        await asyncio.gather(*(limiter.hit("a", LIMIT) for _ in range(3)))
        if counters.calls > before:
            tried_at.append(clock.seconds)
        clock.seconds += 0.5
    assert counters.calls == len(tried_at) + 2, "three concurrent attempts at first"
    waits = [later - earlier for earlier, later in pairwise(tried_at)]
    assert waits[:6] == [1, 2, 4, 8, 16, 30]
    assert set(waits[6:]) == {30}


async def test_once_the_store_is_back_it_counts_again(
    limiter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime
) -> None:
    counters.count = 41
    counters.mood = "failing"
    assert (await limiter.hit("a", LIMIT)).used == 1
    counters.mood = "well"
    assert (await limiter.hit("a", LIMIT)).used == 2, "not before its time"
    clock.seconds += 1
    assert [(await limiter.hit("a", LIMIT)).used for _ in range(2)] == [42, 43]


async def test_an_outage_does_not_forget_what_the_store_counted(
    limiter: RedisRateLimiter, counters: FlakyCounters
) -> None:
    counters.count = 41
    assert (await limiter.hit("a", LIMIT)).used == 42
    counters.mood = "failing"
    assert [(await limiter.hit("a", LIMIT)).used for _ in range(2)] == [43, 44]


async def test_an_outage_and_its_end_are_logged_once_each_and_without_the_address(
    limiter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        counters.mood = "failing"
        for _ in range(20):
            await asyncio.gather(*(limiter.hit("a", LIMIT) for _ in range(3)))
            clock.seconds += 5
        counters.mood = "well"
        clock.seconds += 30
        await limiter.hit("a", LIMIT)
        await limiter.hit("a", LIMIT)
    logged = [record for record in caplog.records if record.name == "adapters.redis.rate_limiter"]
    assert [record.message for record in logged] == [
        "the limits' store is away: each worker counts alone",
        "the limits' store is back",
    ]
    assert logged[0].__dict__["error"] == "ConnectionError"
    assert "example" not in str([record.__dict__ for record in logged])


async def test_after_a_cancelled_attempt_the_next_request_tries(
    limiter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime
) -> None:
    counters.mood = "failing"
    await limiter.hit("a", LIMIT)
    clock.seconds += 1
    counters.mood = "silent"
    asking = asyncio.create_task(limiter.hit("a", LIMIT))
    await counters.is_silent.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    counters.mood = "well"
    assert (await limiter.hit("a", LIMIT)).used == 1
    assert counters.calls == 3
