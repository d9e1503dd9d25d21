from datetime import timedelta

import pytest

from adapters.memory.access import MemoryRevocations
from application.ports import Revocations
from domain.revocation import TokenLifetimes
from tests.contracts.revocations import BOB, NOON, ONE, RevocationsContract, token
from tests.support.clock import ManualClock


class TestMemoryRevocations(RevocationsContract):
    @pytest.fixture
    def revocations(self) -> Revocations:
        return MemoryRevocations(ManualClock(NOON), TokenLifetimes())


@pytest.mark.parametrize("lifetime", [None, 900.0])
async def test_a_revocation_is_kept_as_long_as_its_tokens_can_be_accepted(lifetime: float | None) -> None:
    clock, lifetimes = ManualClock(NOON), TokenLifetimes()
    revocations = MemoryRevocations(clock, lifetimes)
    await revocations.revoke(token().user_id, ONE, NOON, lifetime)
    clock.advance(lifetimes.retention(lifetime) - timedelta(seconds=1))
    await revocations.revoke(BOB, ONE, NOON)
    assert revocations.is_revoked(token())
    clock.advance(timedelta(seconds=1))
    await revocations.revoke(BOB, ONE, NOON)
    assert not revocations.is_revoked(token())
