import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.memory.access import MemoryRateLimiter
from adapters.redis.rate_limiter import redis_rate_limiter
from application.ports import RateLimiter
from tests.contracts.rate_limiters import LIMIT, ManualTime, RateLimitersContract
from tests.support.redis import RedisServer

TIMEOUT = 60.0
"""Seconds: a machine that runs many tests at once may be slower than the service's time-out."""


class TestRedisRateLimiter(RateLimitersContract):
    @pytest.fixture(params=["redis", "valkey"])
    def url(self, request: pytest.FixtureRequest, redis: RedisServer) -> str:
        return redis.url.replace("redis", request.param, 1)

    @pytest.fixture
    async def limiter(self, url: str, clock: ManualTime) -> AsyncIterator[RateLimiter]:
        async with redis_rate_limiter(url, MemoryRateLimiter(clock), clock, timeout=TIMEOUT) as limiter:
            yield limiter

    async def test_two_processes_count_together(self, url: str, clock: ManualTime, key: str) -> None:
        async with (
            redis_rate_limiter(url, MemoryRateLimiter(clock), clock, timeout=TIMEOUT) as one,
            redis_rate_limiter(url, MemoryRateLimiter(clock), clock, timeout=TIMEOUT) as another,
        ):
            counted = await asyncio.gather(*(limiter.hit(key, LIMIT) for limiter in (one, another) for _ in range(20)))
        assert sorted(status.used for status in counted) == list(range(1, 41))


async def test_a_counter_is_gone_after_its_window(redis: RedisServer) -> None:
    async with redis_rate_limiter(redis.url, MemoryRateLimiter(), timeout=TIMEOUT) as limiter:
        await limiter.hit("user:who-leaves", LIMIT)
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


async def test_while_the_server_is_down_this_process_counts_and_then_the_server_again(own_redis: RedisServer) -> None:
    clock = ManualTime()
    async with redis_rate_limiter(own_redis.url, MemoryRateLimiter(clock), clock, clock, timeout=TIMEOUT) as limiter:
        assert [(await limiter.hit("a", LIMIT)).used for _ in range(2)] == [1, 2]
        own_redis.stop()
        assert [(await limiter.hit("a", LIMIT)).used for _ in range(2)] == [3, 4], "this process alone"
        own_redis.start()
        clock.seconds += 1.25  # the first delay with its jitter
        assert (await limiter.hit("a", LIMIT)).used == 1, "the server, whose counters are gone"
        async with redis_rate_limiter(own_redis.url, MemoryRateLimiter(clock), clock, timeout=TIMEOUT) as another:
            assert (await another.hit("a", LIMIT)).used == 2


async def test_without_a_server_requests_are_allowed(own_redis: RedisServer) -> None:
    own_redis.stop()
    async with redis_rate_limiter(own_redis.url, MemoryRateLimiter(), timeout=TIMEOUT) as limiter:
        assert (await limiter.hit("a", LIMIT)).remaining == 2
