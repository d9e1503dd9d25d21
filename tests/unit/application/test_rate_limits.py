from datetime import UTC, datetime

import pytest

from adapters.memory.audit import MemoryAuditLog
from adapters.memory.rate_limiter import MemoryRateLimiter
from application.access import EnforceRateLimits
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.errors import TooManyRequests
from domain.identity import Principal, SessionId, UserId
from domain.rate_limit import RateLimit
from tests.contracts.rate_limiters import ManualTime
from tests.support.clock import ManualClock

ALICE = Principal(UserId("alice"), SessionId("s-1"))
BOB = Principal(UserId("bob"))
TWO = RateLimit(2, 60)
ONE = RateLimit(1, 60)


def origin(peer: str | None = "192.0.2.1") -> AuditContext:
    return AuditContext("r-1", peer)


@pytest.fixture
def clock() -> ManualTime:
    return ManualTime()


@pytest.fixture
def audit() -> MemoryAuditLog:
    return MemoryAuditLog()


@pytest.fixture
def limit(clock: ManualTime, audit: MemoryAuditLog) -> EnforceRateLimits:
    return EnforceRateLimits(TWO, ONE, MemoryRateLimiter(clock), audit, ManualClock())


async def test_a_user_may_ask_as_often_as_the_limit_says_and_then_again_in_the_next_window(
    limit: EnforceRateLimits, clock: ManualTime
) -> None:
    for remaining in (1, 0):
        allowance = await limit.for_user(ALICE, origin())
        assert allowance is not None
        assert allowance.remaining == remaining
    with pytest.raises(TooManyRequests) as refused:
        await limit.for_user(ALICE, origin())
    assert refused.value.allowance.limit == TWO
    assert refused.value.allowance.reset == 60
    clock.seconds += 60
    assert await limit.for_user(ALICE, origin())


async def test_one_user_takes_nothing_from_another_at_the_same_address(limit: EnforceRateLimits) -> None:
    for _ in range(2):
        await limit.for_user(ALICE, origin())
    assert await limit.for_user(BOB, origin())


async def test_what_an_address_has_used_up_its_users_still_have(limit: EnforceRateLimits) -> None:
    await limit.for_address(origin())
    with pytest.raises(TooManyRequests):
        await limit.for_address(origin())
    assert await limit.for_user(ALICE, origin())


@pytest.mark.parametrize("name", ["192.0.2.1", "address:192.0.2.1"])
async def test_a_user_who_is_named_like_an_address_is_none(limit: EnforceRateLimits, name: str) -> None:
    await limit.for_address(origin("192.0.2.1"))
    allowance = await limit.for_user(Principal(UserId(name)), origin())
    assert allowance is not None
    assert allowance.used == 1


@pytest.mark.parametrize(
    ("one", "another", "are_the_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        (None, None, True),
        (None, "192.0.2.1", False),
        ("testclient", "testclient", True),
        ("testclient", "another", False),
    ],
)
async def test_an_address_is_counted_as_the_client_that_has_it(
    limit: EnforceRateLimits, one: str | None, another: str | None, are_the_same: bool
) -> None:
    await limit.for_address(origin(one))
    if are_the_same:
        with pytest.raises(TooManyRequests):
            await limit.for_address(origin(another))
    else:
        await limit.for_address(origin(another))


async def test_the_audit_log_hears_of_it_once_a_window_and_not_with_each_request(
    limit: EnforceRateLimits, audit: MemoryAuditLog, clock: ManualTime
) -> None:
    for _ in range(2):
        for _ in range(6):
            with pytest.raises(TooManyRequests):
                while True:
                    await limit.for_user(ALICE, origin())
        clock.seconds += 60
    with pytest.raises(TooManyRequests):
        while True:
            await limit.for_address(origin())
    hit = AuditEvent(
        kind=AuditKind.LIMIT_HIT,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        user_id=ALICE.user_id,
        session_id=ALICE.session_id,
        origin=origin(),
        reason="user-limit",
    )
    by_address = AuditEvent(kind=AuditKind.LIMIT_HIT, at=hit.at, origin=origin(), reason="address-limit")
    assert list(audit.events) == [hit, hit, by_address]


async def test_without_limits_nothing_is_counted_and_nobody_refused(audit: MemoryAuditLog) -> None:
    limit = EnforceRateLimits(None, None, MemoryRateLimiter(), audit, ManualClock())
    for _ in range(10):
        assert await limit.for_user(ALICE, origin()) is None
        assert await limit.for_address(origin()) is None
    assert not audit.events
