import pytest

from adapters.memory.access import MemoryRateLimiter
from application.ports import LocalRateLimiter
from tests.contracts.rate_limiters import LIMIT, LocalRateLimitersContract, ManualTime


class TestMemoryRateLimiter(LocalRateLimitersContract):
    @pytest.fixture
    def limiter(self, clock: ManualTime) -> LocalRateLimiter:
        return MemoryRateLimiter(clock)


async def test_beyond_the_limit_of_keys_the_oldest_is_evicted() -> None:
    limiter = MemoryRateLimiter(ManualTime(), max_keys=3)
    for key in "abcd":
        await limiter.hit(key, LIMIT)
    assert [(await limiter.hit(key, LIMIT)).used for key in "dcb"] == [2, 2, 2]
    assert (await limiter.hit("a", LIMIT)).used == 1


def test_keys_that_were_counted_elsewhere_evict_the_oldest_too() -> None:
    limiter = MemoryRateLimiter(ManualTime(), max_keys=3)
    for used, key in enumerate("abcd", start=1):
        limiter.note(key, LIMIT, used)
    assert [status and status.used for status in (limiter.known(key, LIMIT) for key in "abcd")] == [None, 2, 3, 4]
