import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.memory.rate_limiter import MemoryRateLimiter
from adapters.redis import rate_limiter as shared
from adapters.redis.rate_limiter import redis_rate_limiter
from application.ports import RateLimiter
from tests.contracts.rate_limiters import LIMIT, ManualTime, RateMetersContract
from tests.support.redis import RedisServer


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that runs many tests at once may be slower than the meter's patience."""
    monkeypatch.setattr(shared, "TIME_OUT", 60.0)


class TestSharedRateMeter(RateMetersContract):
    @pytest.fixture(params=["redis", "valkey"])
    def url(self, request: pytest.FixtureRequest, redis: RedisServer) -> str:
        return redis.url.replace("redis", request.param, 1)

    @pytest.fixture
    async def meter(self, url: str, clock: ManualTime) -> AsyncIterator[RateLimiter]:
        async with redis_rate_limiter(url, MemoryRateLimiter(clock), clock) as meter:
            yield meter

    async def test_two_processes_count_together(self, url: str, clock: ManualTime, key: str) -> None:
        async with (
            redis_rate_limiter(url, MemoryRateLimiter(clock), clock) as one,
            redis_rate_limiter(url, MemoryRateLimiter(clock), clock) as another,
        ):
            counted = await asyncio.gather(*(meter.hit(key, LIMIT) for meter in (one, another) for _ in range(20)))
        assert sorted(allowance.used for allowance in counted) == list(range(1, 41))


async def test_a_counter_is_gone_after_its_window(redis: RedisServer) -> None:
    async with redis_rate_limiter(redis.url, MemoryRateLimiter()) as meter:
        await meter.hit("user:who-leaves", LIMIT)
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    writer.write(b"KEYS *who-leaves*\r\n")
    assert await reader.readline() == b"*1\r\n"
    await reader.readline()
    key = (await reader.readline()).strip()
    assert key.startswith(b"evo-todo:user:who-leaves/default/60/")
    writer.write(b"TTL " + key + b"\r\n")
    assert 0 < int((await reader.readline()).removeprefix(b":")) <= 60
    writer.close()
    await writer.wait_closed()


async def test_a_server_that_stops_and_starts_again_is_missed_by_nobody(own_redis: RedisServer) -> None:
    clock = ManualTime()
    async with redis_rate_limiter(own_redis.url, MemoryRateLimiter(clock), clock, clock) as meter:
        assert [(await meter.hit("a", LIMIT)).used for _ in range(2)] == [1, 2]
        own_redis.stop()
        assert [(await meter.hit("a", LIMIT)).used for _ in range(2)] == [1, 2], "this process alone"
        own_redis.start()
        clock.seconds += 1
        assert (await meter.hit("a", LIMIT)).used == 1, "the server, which has forgotten"
        async with redis_rate_limiter(own_redis.url, MemoryRateLimiter(clock), clock) as another:
            assert (await another.hit("a", LIMIT)).used == 2


async def test_no_server_at_all_is_no_reason_to_refuse_anybody(own_redis: RedisServer) -> None:
    own_redis.stop()
    async with redis_rate_limiter(own_redis.url, MemoryRateLimiter()) as meter:
        assert (await meter.hit("a", LIMIT)).remaining == 2
