"""The contract of the Revocations port: inherited by one test class per adapter."""

from datetime import UTC, datetime, timedelta

from application.ports import Revocations
from domain.identity import Principal, SessionId, UserId

ALICE, BOB = UserId("alice"), UserId("bob")
ONE, OTHER = SessionId("s-1"), SessionId("s-2")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def token(user: UserId = ALICE, session: SessionId | None = ONE, *, issued: float = 0) -> Principal:
    """A principal whose token was issued so many seconds after noon."""
    return Principal(user, session, NOON.timestamp() + issued)


class RevocationsContract:
    """The class that inherits this defines a fixture `revocations`, in which nothing is revoked at noon."""

    async def test_nothing_is_revoked_at_first(self, revocations: Revocations) -> None:
        assert not revocations.is_revoked(token())
        assert not revocations.is_revoked(token(session=None))

    async def test_a_session_ends_at_once_and_no_other_does(self, revocations: Revocations) -> None:
        await revocations.revoke(ALICE, ONE, NOON)
        assert revocations.is_revoked(token())
        assert revocations.is_revoked(token(issued=3600))
        assert not revocations.is_revoked(token(session=OTHER))
        assert not revocations.is_revoked(token(session=None))
        assert not revocations.is_revoked(token(BOB))

    async def test_a_users_tokens_end_up_to_an_instant(self, revocations: Revocations) -> None:
        await revocations.revoke(ALICE, None, NOON)
        assert revocations.is_revoked(token(session=None))
        assert revocations.is_revoked(token(session=OTHER, issued=-5))
        assert not revocations.is_revoked(token(issued=1))
        assert not revocations.is_revoked(token(BOB))

    async def test_repetitions_change_nothing_and_an_earlier_instant_replaces_no_later_one(
        self, revocations: Revocations
    ) -> None:
        await revocations.revoke(ALICE, None, NOON)
        await revocations.revoke(ALICE, None, NOON)
        await revocations.revoke(ALICE, None, NOON - timedelta(hours=1))
        assert revocations.is_revoked(token())
        await revocations.revoke(ALICE, None, NOON + timedelta(hours=1))
        assert revocations.is_revoked(token(issued=3600))
