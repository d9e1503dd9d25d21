"""When the store is away: nobody is refused for it, and nobody waits for it twice."""

import asyncio
import logging
from itertools import pairwise

import pytest
from attrs import define, field
from limits.errors import StorageError

from adapters.memory.rate_limiter import MemoryRateLimiter
from adapters.redis import rate_limiter as shared
from adapters.redis.rate_limiter import RedisRateLimiter
from tests.contracts.rate_limiters import LIMIT, ManualTime


@define
class FlakyCounters:
    """A store that answers, fails or keeps silent, as it is told."""

    mood: str = "well"
    asked: int = 0
    count: int = 0
    is_silent: asyncio.Event = field(factory=asyncio.Event)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        assert (key.split("/")[:3], expiry) == (["a", "default", "60"], 60)
        self.asked += 1
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
def meter(counters: FlakyCounters, clock: ManualTime) -> RedisRateLimiter:
    return RedisRateLimiter(counters, MemoryRateLimiter(clock), clock, clock)


@pytest.mark.parametrize("mood", ["failing", "silent"])
async def test_while_the_store_is_away_this_process_counts_and_the_store_is_asked_once(
    mood: str, meter: RedisRateLimiter, counters: FlakyCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "TIME_OUT", 0.001)
    counters.mood = mood
    assert [(await meter.hit("a", LIMIT)).used for _ in range(4)] == [1, 2, 3, 4]
    assert counters.asked == 1


async def test_it_is_asked_again_ever_later_and_by_one_request_at_a_time(
    meter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime
) -> None:
    counters.mood = "failing"
    asked_at = []
    for _ in range(400):
        before = counters.asked
        await asyncio.gather(*(meter.hit("a", LIMIT) for _ in range(3)))
        if counters.asked > before:
            asked_at.append(clock.seconds)
        clock.seconds += 0.5
    assert counters.asked == len(asked_at) + 2, "three together at first, before any of them knew"
    waits = [later - earlier for earlier, later in pairwise(asked_at)]
    assert waits[:6] == [1, 2, 4, 8, 16, 30]
    assert set(waits[6:]) == {30}


async def test_once_it_is_back_it_counts_again(
    meter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime
) -> None:
    counters.count = 41
    counters.mood = "failing"
    assert (await meter.hit("a", LIMIT)).used == 1
    counters.mood = "well"
    assert (await meter.hit("a", LIMIT)).used == 2, "not before its time"
    clock.seconds += 1
    assert [(await meter.hit("a", LIMIT)).used for _ in range(2)] == [42, 43]


async def test_its_going_and_its_coming_are_told_once_each_and_without_its_address(
    meter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        counters.mood = "failing"
        for _ in range(20):
            await asyncio.gather(*(meter.hit("a", LIMIT) for _ in range(3)))
            clock.seconds += 5
        counters.mood = "well"
        clock.seconds += 30
        await meter.hit("a", LIMIT)
        await meter.hit("a", LIMIT)
    told = [record for record in caplog.records if record.name == "adapters.redis.rate_limiter"]
    assert [record.message for record in told] == [
        "the limits' store is away: each worker counts alone",
        "the limits' store is back",
    ]
    assert told[0].__dict__["error"] == "ConnectionError"
    assert "example" not in str([record.__dict__ for record in told])


async def test_a_request_that_is_given_up_leaves_the_asking_to_the_next(
    meter: RedisRateLimiter, counters: FlakyCounters, clock: ManualTime
) -> None:
    counters.mood = "failing"
    await meter.hit("a", LIMIT)
    clock.seconds += 1
    counters.mood = "silent"
    asking = asyncio.create_task(meter.hit("a", LIMIT))
    await counters.is_silent.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    counters.mood = "well"
    assert (await meter.hit("a", LIMIT)).used == 1
    assert counters.asked == 3
