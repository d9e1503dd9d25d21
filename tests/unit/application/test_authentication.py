from datetime import UTC, datetime

import pytest
from attrs import frozen

from adapters.memory.audit import MemoryAuditLog
from adapters.memory.clock import ManualClock
from adapters.memory.revocations import MemoryRevocations
from application.authentication import Authenticate
from domain.audit import AuditEvent, AuditKind, RequestOrigin
from domain.errors import InvalidToken
from domain.identity import Principal, SessionId, UserId

ALICE = Principal(UserId("alice"), SessionId("s-1"))
ORIGIN = RequestOrigin("r-1", "192.0.2.1")


@frozen
class Known:
    """Takes one token and no other."""

    token: str = "good"

    async def verify(self, unverified_token: str) -> Principal:
        if unverified_token != self.token:
            raise InvalidToken("The token is malformed.")
        return ALICE


def asking(*revoked: SessionId) -> tuple[Authenticate, MemoryAuditLog]:
    log = MemoryAuditLog()
    revocations = MemoryRevocations({(ALICE.user_id, session) for session in revoked})
    return Authenticate(Known(), revocations, log, ManualClock()), log


async def test_a_good_token_makes_a_principal() -> None:
    authenticate, log = asking(SessionId("another"))
    assert await authenticate("good", ORIGIN) == ALICE
    assert not log.events


async def test_a_refused_token_is_in_the_log_by_its_digest_alone() -> None:
    authenticate, log = asking()
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
    authenticate, log = asking(SessionId("s-1"))
    with pytest.raises(InvalidToken, match="revoked"):
        await authenticate("good", ORIGIN)
    assert [event.reason for event in log.events] == ["The token has been revoked."]
