"""The contract of the RateLimiter port: inherited by one test class per adapter."""

import asyncio
from abc import ABC, abstractmethod
from uuid import uuid4

import pytest
from attrs import define

from application.ports import LocalRateLimiter, RateLimiter
from domain.rate_limit import RateLimit, RateLimitStatus

LIMIT = RateLimit(3, 60)


@define
class ManualTime:
    """Seconds since 1970, set by hand."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


class RateLimitersContract(ABC):
    """The class that inherits this defines a fixture `limiter`."""

    @pytest.fixture
    def clock(self) -> ManualTime:
        return ManualTime()

    @pytest.fixture
    @abstractmethod
    def limiter(self, clock: ManualTime) -> RateLimiter: ...

    @pytest.fixture
    def key(self) -> str:
        """A key that no other test counts: a store outlives a test."""
        return f"user:{uuid4()}"

    async def test_requests_are_counted_one_by_one(self, limiter: RateLimiter, key: str) -> None:
        assert [await limiter.hit(key, LIMIT) for _ in range(5)] == [
            RateLimitStatus(LIMIT, used, 60.0) for used in (1, 2, 3, 4, 5)
        ]

    async def test_each_key_is_counted_separately(self, limiter: RateLimiter, key: str) -> None:
        await limiter.hit(key, LIMIT)
        assert (await limiter.hit(f"{key}x", LIMIT)).used == 1
        assert (await limiter.hit(key, LIMIT)).used == 2

    async def test_a_window_ends_at_the_full_minute_and_not_earlier(
        self, limiter: RateLimiter, clock: ManualTime, key: str
    ) -> None:
        clock.seconds += 12.5
        assert await limiter.hit(key, LIMIT) == RateLimitStatus(LIMIT, 1, 47.5)
        clock.seconds += 47.25
        assert await limiter.hit(key, LIMIT) == RateLimitStatus(LIMIT, 2, 0.25)
        clock.seconds += 0.25
        assert await limiter.hit(key, LIMIT) == RateLimitStatus(LIMIT, 1, 60.0)

    async def test_limits_with_other_windows_or_policies_are_counted_separately(
        self, limiter: RateLimiter, key: str
    ) -> None:
        for other in (LIMIT, RateLimit(3, 1), RateLimit(3, 60, "address")):
            assert (await limiter.hit(key, other)).used == 1
        assert (await limiter.hit(key, LIMIT)).used == 2

    async def test_very_large_amounts_are_counted(self, limiter: RateLimiter, key: str) -> None:
        limit = RateLimit(999_999_999_999, 86400)
        assert (await limiter.hit(key, limit)).remaining == 999_999_999_998

    async def test_concurrent_requests_are_all_counted(self, limiter: RateLimiter, key: str) -> None:
        counted = await asyncio.gather(*(limiter.hit(key, LIMIT) for _ in range(50)))
        assert sorted(one.used for one in counted) == list(range(1, 51))

    @pytest.mark.parametrize("name", ["alice@example.org", "a b", "ü", "x" * 255, "{tag}", "*"])
    async def test_any_name_is_a_key(self, limiter: RateLimiter, key: str, name: str) -> None:
        await limiter.hit(key + name, LIMIT)
        assert (await limiter.hit(key + name, LIMIT)).used == 2

    async def test_what_this_process_counted_last_is_known_without_counting(
        self, limiter: RateLimiter, clock: ManualTime, key: str
    ) -> None:
        assert limiter.known(key, LIMIT) is None
        for used in (1, 2, 3, 4):
            await limiter.hit(key, LIMIT)
            for _ in range(2):
                assert limiter.known(key, LIMIT) == RateLimitStatus(LIMIT, used, 60.0)
        assert limiter.known(f"{key}x", LIMIT) is None
        assert limiter.known(key, RateLimit(3, 60, "address")) is None
        clock.seconds += 59.5
        assert limiter.known(key, LIMIT) == RateLimitStatus(LIMIT, 4, 0.5)
        clock.seconds += 0.5
        assert limiter.known(key, LIMIT) is None


class LocalRateLimitersContract(RateLimitersContract):
    """The same for a limiter that counts in memory."""

    @pytest.fixture
    @abstractmethod
    def limiter(self, clock: ManualTime) -> LocalRateLimiter: ...

    async def test_both_ways_of_counting_share_one_counter(self, limiter: LocalRateLimiter, key: str) -> None:
        assert limiter.hit_now(key, LIMIT) == RateLimitStatus(LIMIT, 1, 60.0)
        assert (await limiter.hit(key, LIMIT)).used == 2
        assert limiter.hit_now(key, LIMIT).used == 3

    async def test_counting_goes_on_from_what_was_counted_elsewhere(
        self, limiter: LocalRateLimiter, clock: ManualTime, key: str
    ) -> None:
        limiter.note(key, LIMIT, 41)
        assert limiter.known(key, LIMIT) == RateLimitStatus(LIMIT, 41, 60.0)
        assert (await limiter.hit(key, LIMIT)).used == 42
        clock.seconds += 60
        assert limiter.hit_now(key, LIMIT).used == 1
