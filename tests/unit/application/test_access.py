from datetime import UTC, datetime, timedelta

import pytest
from attrs import frozen

from adapters.memory.audit import MemoryAuditLog
from adapters.memory.revocations import MemoryRevocations
from application import access as authentication
from application.access import Authenticate, Authorize
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.errors import AccessDenied, InvalidToken
from domain.identity import Principal, SessionId, UserId
from tests.support.clock import ManualClock

ALICE = Principal(UserId("alice"), SessionId("s-1"))
ORIGIN = AuditContext("r-1", "192.0.2.1")


@frozen
class Known:
    """Takes one token and no other."""

    token: str = "good"

    def remembered(self, unverified_token: bytes) -> Principal | None:
        return ALICE if unverified_token == self.token.encode() else None

    async def verify(self, unverified_token: str) -> Principal:
        if unverified_token != self.token:
            raise InvalidToken("The token is malformed.")
        return ALICE


async def asking(*revoked: SessionId) -> tuple[Authenticate, MemoryAuditLog]:
    log = MemoryAuditLog()
    revocations = MemoryRevocations(ManualClock(), timedelta(days=7))
    for session in revoked:
        await revocations.revoke(ALICE.user_id, session, ManualClock().now())
    return Authenticate(Known(), revocations, log, ManualClock()), log


async def test_a_good_token_makes_a_principal() -> None:
    authenticate, log = await asking(SessionId("another"))
    for _ in range(3):
        assert await authenticate("good", ORIGIN) == ALICE
    assert [(event.kind, event.user_id, event.session_id) for event in log.events] == [
        (AuditKind.SESSION_SEEN, "alice", "s-1")
    ], "once, however often it comes"


async def test_a_refused_token_is_in_the_log_by_its_digest_alone() -> None:
    authenticate, log = await asking()
    with pytest.raises(InvalidToken):
        await authenticate("bad", ORIGIN)
    assert list(log.events) == [
        AuditEvent(
            kind=AuditKind.TOKEN_REFUSED,
            at=datetime(2026, 1, 1, tzinfo=UTC),
            origin=ORIGIN,
            reason="The token is malformed.",
            token_digest="2f05d4b689d270ca",
        )
    ]


async def test_a_revoked_token_is_no_token() -> None:
    authenticate, log = await asking(SessionId("s-1"))
    with pytest.raises(InvalidToken, match="revoked"):
        await authenticate("good", ORIGIN)
    assert [event.reason for event in log.events] == ["The token has been revoked."]


async def test_of_more_sessions_than_are_remembered_those_unused_for_longest_are_met_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authentication, "MAX_KNOWN_SESSIONS", 2)
    log, clock = MemoryAuditLog(), ManualClock()
    authenticate = Authenticate(BySession(), MemoryRevocations(clock, timedelta(days=7)), log, clock)
    for session in ("1", "2", "1", "3", "1", "2"):
        await authenticate(session, ORIGIN)
    assert [event.session_id for event in log.events] == ["1", "2", "3", "2"]


@frozen
class BySession:
    """Takes a session's id for its token."""

    def remembered(self, unverified_token: bytes) -> Principal | None:
        return Principal(UserId("alice"), SessionId(unverified_token.decode()))

    async def verify(self, unverified_token: str) -> Principal:
        return Principal(UserId("alice"), SessionId(unverified_token))


def test_only_ones_own_list_may_be_entered_and_a_try_is_in_the_log_without_the_others_name() -> None:
    log = MemoryAuditLog()
    authorize = Authorize(log, ManualClock())
    authorize(ALICE, UserId("alice"), ORIGIN)
    assert not log.events
    with pytest.raises(AccessDenied):
        authorize(ALICE, UserId("bob"), ORIGIN)
    [event] = log.events
    assert (event.kind, event.user_id, event.session_id, event.origin) == (
        AuditKind.ACCESS_DENIED,
        "alice",
        "s-1",
        ORIGIN,
    )
    assert "bob" not in repr(event)
