from datetime import UTC, datetime

import pytest
from attrs import field, frozen

from adapters.memory.access import MemoryAuditLog, MemoryRateLimiter
from application.access import EnforceRateLimits
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.errors import TooManyRequests
from domain.identity import Principal, SessionId, UserId
from domain.rate_limit import RateLimit, RateLimitStatus
from tests.contracts.rate_limiters import ManualTime
from tests.support.clock import ManualClock

ALICE = Principal(UserId("alice"), SessionId("s-1"))
BOB = Principal(UserId("bob"))
TWO = RateLimit(2, 60)
ONE = RateLimit(1, 60)


def context(peer: str | None = "192.0.2.1") -> AuditContext:
    return AuditContext("r-1", peer)


@pytest.fixture
def clock() -> ManualTime:
    return ManualTime()


@pytest.fixture
def audit() -> MemoryAuditLog:
    return MemoryAuditLog()


@pytest.fixture
def limits(clock: ManualTime, audit: MemoryAuditLog) -> EnforceRateLimits:
    return EnforceRateLimits(TWO, ONE, MemoryRateLimiter(clock), audit, ManualClock())


async def test_a_user_may_ask_as_often_as_the_limit_says_and_then_again_in_the_next_window(
    limits: EnforceRateLimits, clock: ManualTime
) -> None:
    for remaining in (1, 0):
        status = await limits.for_user(ALICE, context())
        assert status is not None
        assert status.remaining == remaining
    with pytest.raises(TooManyRequests) as refused:
        await limits.for_user(ALICE, context())
    assert refused.value.status.limit == TWO
    assert refused.value.status.reset == 60
    clock.seconds += 60
    assert await limits.for_user(ALICE, context())


async def test_users_at_the_same_address_have_separate_limits(limits: EnforceRateLimits) -> None:
    for _ in range(2):
        await limits.for_user(ALICE, context())
    assert await limits.for_user(BOB, context())


async def test_an_exhausted_address_leaves_its_users_their_limits(limits: EnforceRateLimits) -> None:
    await limits.for_address(context())
    with pytest.raises(TooManyRequests):
        await limits.for_address(context())
    assert await limits.for_user(ALICE, context())


@pytest.mark.parametrize("name", ["192.0.2.1", "address:192.0.2.1"])
async def test_a_user_id_that_looks_like_an_address_is_counted_as_a_user(limits: EnforceRateLimits, name: str) -> None:
    await limits.for_address(context("192.0.2.1"))
    status = await limits.for_user(Principal(UserId(name)), context())
    assert status is not None
    assert status.used == 1


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
async def test_an_address_is_counted_by_its_client_prefix(
    limits: EnforceRateLimits, one: str | None, another: str | None, are_the_same: bool
) -> None:
    await limits.for_address(context(one))
    if are_the_same:
        with pytest.raises(TooManyRequests):
            await limits.for_address(context(another))
    else:
        await limits.for_address(context(another))


async def test_an_exceeded_limit_is_recorded_once_per_window(
    limits: EnforceRateLimits, audit: MemoryAuditLog, clock: ManualTime
) -> None:
    for _ in range(2):
        for _ in range(6):
            with pytest.raises(TooManyRequests):
                while True:
                    await limits.for_user(ALICE, context())
        clock.seconds += 60
    with pytest.raises(TooManyRequests):
        while True:
            await limits.for_address(context())
    hit = AuditEvent(
        kind=AuditKind.LIMIT_HIT,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        user_id=ALICE.user_id,
        session_id=ALICE.session_id,
        context=context(),
        reason="user-limit",
    )
    by_address = AuditEvent(kind=AuditKind.LIMIT_HIT, at=hit.at, context=context(), reason="address-limit")
    assert list(audit.events) == [hit, hit, by_address]


async def test_beyond_the_limit_an_address_is_refused_without_being_counted(
    limits: EnforceRateLimits, clock: ManualTime
) -> None:
    client = limits.client(context("2001:db8::1"))
    assert client.identity == limits.client(context("2001:db8::2")).identity
    await limits.for_address(context("2001:db8::1"))
    client.ensure_within_limit()
    used = []
    for _ in range(3):
        with pytest.raises(TooManyRequests) as refused:
            await limits.for_address(context("2001:db8::2"))
        used.append(refused.value.status.used)
        with pytest.raises(TooManyRequests):
            client.ensure_within_limit()
    assert used == [2, 2, 2]
    clock.seconds += 60
    client.ensure_within_limit()


async def test_without_limits_nothing_is_counted_and_nothing_refused(audit: MemoryAuditLog) -> None:
    limits = EnforceRateLimits(None, None, MemoryRateLimiter(), audit, ManualClock())
    for _ in range(10):
        assert await limits.for_user(ALICE, context()) is None
        assert await limits.for_address(context()) is None
        limits.client(context()).ensure_within_limit()
    assert not audit.events


@frozen
class Shared:
    """Counts as a shared store does: not without waiting."""

    counter: MemoryRateLimiter = field(factory=MemoryRateLimiter)

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        return await self.counter.hit(key, limit)

    def known(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        return self.counter.known(key, limit)


async def test_requests_counted_without_waiting_use_up_the_same_limit(
    limits: EnforceRateLimits, audit: MemoryAuditLog
) -> None:
    assert limits.is_local
    first, second = await limits.for_user(ALICE, context()), limits.for_user_now(ALICE, context())
    assert [status and status.remaining for status in (first, second)] == [1, 0]
    for used in (3, 4):
        with pytest.raises(TooManyRequests) as refused:
            limits.for_user_now(ALICE, context())
        assert refused.value.status.used == used
    [hit] = audit.events
    assert (hit.user_id, hit.session_id, hit.context, hit.reason) == ("alice", "s-1", context(), "user-limit")
    assert limits.for_user_now(BOB, context())


def test_without_a_limit_nothing_is_counted_without_waiting_either(audit: MemoryAuditLog) -> None:
    limits = EnforceRateLimits(None, ONE, MemoryRateLimiter(), audit, ManualClock())
    assert [limits.for_user_now(ALICE, context()) for _ in range(10)] == [None] * 10


async def test_a_shared_counter_has_to_be_waited_for(audit: MemoryAuditLog) -> None:
    limits = EnforceRateLimits(TWO, ONE, Shared(), audit, ManualClock())
    assert not limits.is_local
    with pytest.raises(RuntimeError, match="not counted in memory"):
        limits.for_user_now(ALICE, context())
    status = await limits.for_user(ALICE, context())
    assert status is not None
    assert status.used == 1
