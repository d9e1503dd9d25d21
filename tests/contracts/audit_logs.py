"""What every adapter of AuditLog and AuditTrail keeps: inherited by one test class per adapter."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from application.ports import AuditLog, AuditTrail
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.identity import SessionId, UserId

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE, BOB = UserId("alice"), UserId("bob")


def event(seconds: float = 0, *, user: UserId | None = ALICE, reason: str | None = None) -> AuditEvent:
    """Something that happened so long after noon."""
    return AuditEvent(kind=AuditKind.TOKEN_REFUSED, at=NOON + timedelta(seconds=seconds), user_id=user, reason=reason)


FULL = AuditEvent(
    kind=AuditKind.SESSION_REVOKED,
    at=NOON + timedelta(microseconds=1),
    user_id=ALICE,
    session_id=SessionId("s-1"),
    context=AuditContext("r-1", "2001:db8::1"),
    reason="The token has expired.",
    token_digest="0123456789abcdef",
)


class Settling(Protocol):
    """Waits until what was recorded can be read."""

    async def __call__(self) -> None: ...


class AuditContract:
    """The class that inherits this gives fixtures `log`, `trail` and `settle`."""

    async def test_what_is_recorded_is_read_as_it_was(self, log: AuditLog, trail: AuditTrail, settle: Settling) -> None:
        bare = AuditEvent(kind=AuditKind.KEYS_CHANGED, at=NOON)
        nameless = AuditEvent(kind=AuditKind.LIMIT_HIT, at=NOON + timedelta(seconds=9), context=AuditContext("r-2"))
        for one in (bare, FULL, nameless):
            log.record(one)
        await settle()
        assert [one async for one in trail.read()] == [bare, FULL, nameless]

    async def test_one_reads_of_one_user_and_from_an_instant_on(
        self, log: AuditLog, trail: AuditTrail, settle: Settling
    ) -> None:
        events = [event(0), event(1, user=BOB), event(2, user=None), event(3)]
        for one in events:
            log.record(one)
        await settle()
        assert [one async for one in trail.read(user=ALICE)] == [events[0], events[3]]
        assert [one async for one in trail.read(since=NOON + timedelta(seconds=2))] == events[2:]
        assert [one async for one in trail.read(user=BOB, since=NOON + timedelta(seconds=2))] == []

    async def test_one_reads_some_kinds_and_the_newest_of_them(
        self, log: AuditLog, trail: AuditTrail, settle: Settling
    ) -> None:
        events = [
            AuditEvent(kind=kind, at=NOON + timedelta(seconds=second), user_id=ALICE)
            for second, kind in enumerate([AuditKind.SESSION_SEEN, AuditKind.ACCESS_DENIED, AuditKind.LIMIT_HIT] * 2)
        ]
        for one in events:
            log.record(one)
        await settle()
        some = frozenset({AuditKind.SESSION_SEEN, AuditKind.LIMIT_HIT})
        assert [one async for one in trail.read(kinds=some)] == [events[0], events[2], events[3], events[5]]
        assert [one async for one in trail.read(limit=2)] == events[4:]
        assert [one async for one in trail.read(kinds=some, limit=3)] == [events[2], events[3], events[5]]
        assert [one async for one in trail.read(limit=9)] == events
        assert [one async for one in trail.read(user=BOB, limit=9)] == []

    async def test_many_are_read_in_order_whatever_their_number(
        self, log: AuditLog, trail: AuditTrail, settle: Settling
    ) -> None:
        for number in range(1201):
            log.record(event(number // 7, reason=str(number)))
        await settle()
        found = [one async for one in trail.read()]
        assert len({one.reason for one in found}) == 1201
        assert [one.at for one in found] == sorted(one.at for one in found)

    async def test_what_is_old_goes_and_nothing_else(self, log: AuditLog, trail: AuditTrail, settle: Settling) -> None:
        for number in range(1001):
            log.record(event(-1 - number))
        log.record(event(0))
        await settle()
        assert await trail.purge_before(NOON) == 1001
        assert [one async for one in trail.read()] == [event(0)]
        assert await trail.purge_before(NOON) == 0
