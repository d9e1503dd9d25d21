import pytest

from adapters.memory import rate_limiter as memory
from adapters.memory.rate_limiter import MemoryRateLimiter
from application.ports import LocalRateLimiter
from tests.contracts.rate_limiters import LIMIT, LocalRateMetersContract, ManualTime


class TestMemoryRateMeter(LocalRateMetersContract):
    @pytest.fixture
    def meter(self, clock: ManualTime) -> LocalRateLimiter:
        return MemoryRateLimiter(clock)


async def test_it_remembers_no_more_keys_than_it_may_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_KEYS", 3)
    meter = MemoryRateLimiter(ManualTime())
    for key in "abcd":
        await meter.hit(key, LIMIT)
    assert [(await meter.hit(key, LIMIT)).used for key in "dcb"] == [2, 2, 2]
    assert (await meter.hit("a", LIMIT)).used == 1
