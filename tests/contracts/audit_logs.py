"""The contract of the AuditLog and AuditTrail ports: inherited by one test class per adapter."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from application.ports import AuditLog, AuditTrail
from domain.audit import AuditContext, AuditEvent, AuditKind, AuditQuery
from domain.identity import SessionId, UserId

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE, BOB = UserId("alice"), UserId("bob")


def event(seconds: float = 0, *, user: UserId | None = ALICE, reason: str | None = None) -> AuditEvent:
    """An event so many seconds after noon."""
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


class Flush(Protocol):
    """Waits until recorded events can be read."""

    async def __call__(self) -> None: ...


class AuditContract:
    """The class that inherits this defines the fixtures `log`, `trail` and `flush`."""

    async def test_events_are_read_as_they_were_recorded(self, log: AuditLog, trail: AuditTrail, flush: Flush) -> None:
        bare = AuditEvent(kind=AuditKind.KEYS_CHANGED, at=NOON)
        nameless = AuditEvent(kind=AuditKind.LIMIT_HIT, at=NOON + timedelta(seconds=9), context=AuditContext("r-2"))
        for one in (bare, FULL, nameless):
            log.record(one)
        await flush()
        assert [one async for one in trail.read()] == [bare, FULL, nameless]

    async def test_events_are_selected_by_user_and_start(self, log: AuditLog, trail: AuditTrail, flush: Flush) -> None:
        events = [event(0), event(1, user=BOB), event(2, user=None), event(3)]
        for one in events:
            log.record(one)
        await flush()
        assert [one async for one in trail.read(AuditQuery(user=ALICE))] == [events[0], events[3]]
        assert [one async for one in trail.read(AuditQuery(since=NOON + timedelta(seconds=2)))] == events[2:]
        assert [one async for one in trail.read(AuditQuery(user=BOB, since=NOON + timedelta(seconds=2)))] == []

    async def test_events_are_selected_by_kind_and_limited_to_the_newest(
        self, log: AuditLog, trail: AuditTrail, flush: Flush
    ) -> None:
        events = [
            AuditEvent(kind=kind, at=NOON + timedelta(seconds=second), user_id=ALICE)
            for second, kind in enumerate([AuditKind.SESSION_SEEN, AuditKind.ACCESS_DENIED, AuditKind.LIMIT_HIT] * 2)
        ]
        for one in events:
            log.record(one)
        await flush()
        some = frozenset({AuditKind.SESSION_SEEN, AuditKind.LIMIT_HIT})
        assert [one async for one in trail.read(AuditQuery(kinds=some))] == [events[0], events[2], events[3], events[5]]
        assert [one async for one in trail.read(AuditQuery(limit=2))] == events[4:]
        assert [one async for one in trail.read(AuditQuery(kinds=some, limit=3))] == [events[2], events[3], events[5]]
        assert [one async for one in trail.read(AuditQuery(limit=9))] == events
        assert [one async for one in trail.read(AuditQuery(user=BOB, limit=9))] == []

    async def test_many_events_are_read_in_order(self, log: AuditLog, trail: AuditTrail, flush: Flush) -> None:
        for number in range(1201):
            log.record(event(number // 7, reason=str(number)))
        await flush()
        found = [one async for one in trail.read()]
        assert len({one.reason for one in found}) == 1201
        assert [one.at for one in found] == sorted(one.at for one in found)

    async def test_only_old_events_are_purged(self, log: AuditLog, trail: AuditTrail, flush: Flush) -> None:
        for number in range(1001):
            log.record(event(-1 - number))
        log.record(event(0))
        await flush()
        assert await trail.purge_before(NOON) == 1001
        assert [one async for one in trail.read()] == [event(0)]
        assert await trail.purge_before(NOON) == 0
