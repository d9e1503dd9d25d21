from datetime import timedelta

import pytest

from adapters.memory.audit_and_revocations import MemoryRevocations
from application.ports import Revocations
from tests.contracts.revocations import BOB, NOON, ONE, RevocationsContract, token
from tests.support.clock import ManualClock


class TestMemoryRevocations(RevocationsContract):
    @pytest.fixture
    def revocations(self) -> Revocations:
        return MemoryRevocations(ManualClock(NOON), timedelta(days=7))


async def test_a_revocation_is_kept_for_the_longest_lifetime_of_a_token() -> None:
    clock = ManualClock(NOON)
    revocations = MemoryRevocations(clock, timedelta(days=7))
    await revocations.revoke(token().user_id, ONE, NOON)
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    await revocations.revoke(BOB, ONE, NOON)
    assert revocations.is_revoked(token())
    clock.advance(timedelta(seconds=1))
    await revocations.revoke(BOB, ONE, NOON)
    assert not revocations.is_revoked(token())
