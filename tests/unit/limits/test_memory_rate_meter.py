import pytest

from adapters.limits import memory
from adapters.limits.memory import MemoryRateMeter
from application.ports import RateMeter
from tests.contracts.rate_meters import LIMIT, HandClock, RateMetersContract


class TestMemoryRateMeter(RateMetersContract):
    @pytest.fixture
    def meter(self, clock: HandClock) -> RateMeter:
        return MemoryRateMeter(clock)


async def test_it_remembers_no_more_keys_than_it_may_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_KEYS", 3)
    meter = MemoryRateMeter(HandClock())
    for key in "abcd":
        await meter.hit(key, LIMIT)
    assert [(await meter.hit(key, LIMIT)).used for key in "dcb"] == [2, 2, 2]
    assert (await meter.hit("a", LIMIT)).used == 1
