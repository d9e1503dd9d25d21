"""What every meter of requests does."""

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
    """Seconds since 1970, moved by hand."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


class RateMetersContract(ABC):
    """Inherited by each adapter's test class, which says how a meter is made."""

    @pytest.fixture
    def clock(self) -> ManualTime:
        return ManualTime()

    @pytest.fixture
    @abstractmethod
    def meter(self, clock: ManualTime) -> RateLimiter: ...

    @pytest.fixture
    def key(self) -> str:
        """A key that no other test counts: stores last longer than one test."""
        return f"user:{uuid4()}"

    async def test_requests_are_counted_one_by_one(self, meter: RateLimiter, key: str) -> None:
        assert [await meter.hit(key, LIMIT) for _ in range(5)] == [
            RateLimitStatus(LIMIT, used, 60.0) for used in (1, 2, 3, 4, 5)
        ]

    async def test_each_key_is_counted_by_itself(self, meter: RateLimiter, key: str) -> None:
        await meter.hit(key, LIMIT)
        assert (await meter.hit(f"{key}x", LIMIT)).used == 1
        assert (await meter.hit(key, LIMIT)).used == 2

    async def test_a_window_ends_when_it_is_full_minute_and_not_earlier(
        self, meter: RateLimiter, clock: ManualTime, key: str
    ) -> None:
        clock.seconds += 12.5
        assert await meter.hit(key, LIMIT) == RateLimitStatus(LIMIT, 1, 47.5)
        clock.seconds += 47.25
        assert await meter.hit(key, LIMIT) == RateLimitStatus(LIMIT, 2, 0.25)
        clock.seconds += 0.25
        assert await meter.hit(key, LIMIT) == RateLimitStatus(LIMIT, 1, 60.0)

    async def test_limits_of_other_windows_or_policies_are_counted_apart(self, meter: RateLimiter, key: str) -> None:
        for other in (LIMIT, RateLimit(3, 1), RateLimit(3, 60, "address")):
            assert (await meter.hit(key, other)).used == 1
        assert (await meter.hit(key, LIMIT)).used == 2

    async def test_very_large_amounts_are_counted_too(self, meter: RateLimiter, key: str) -> None:
        limit = RateLimit(999_999_999_999, 86400)
        assert (await meter.hit(key, limit)).remaining == 999_999_999_998

    async def test_nobody_is_missed_when_many_come_at_once(self, meter: RateLimiter, key: str) -> None:
        counted = await asyncio.gather(*(meter.hit(key, LIMIT) for _ in range(50)))
        assert sorted(one.used for one in counted) == list(range(1, 51))

    @pytest.mark.parametrize("name", ["alice@example.org", "a b", "ü", "x" * 255, "{tag}", "*"])
    async def test_any_name_is_a_key(self, meter: RateLimiter, key: str, name: str) -> None:
        await meter.hit(key + name, LIMIT)
        assert (await meter.hit(key + name, LIMIT)).used == 2


class LocalRateMetersContract(RateMetersContract):
    """The same for a meter that counts in memory."""

    @pytest.fixture
    @abstractmethod
    def meter(self, clock: ManualTime) -> LocalRateLimiter: ...

    async def test_what_is_counted_without_waiting_is_counted_with_the_rest(
        self, meter: LocalRateLimiter, key: str
    ) -> None:
        assert meter.hit_now(key, LIMIT) == RateLimitStatus(LIMIT, 1, 60.0)
        assert (await meter.hit(key, LIMIT)).used == 2
        assert meter.hit_now(key, LIMIT).used == 3
