from datetime import UTC, datetime, timedelta

import pytest

from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet

ALICE, BOB = UserId("alice"), UserId("bob")
ONE, OTHER = SessionId("s-1"), SessionId("s-2")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=7)


def token(user: UserId = ALICE, session: SessionId | None = ONE, *, issued: float = 0) -> Principal:
    """A principal whose token was issued so many seconds after noon."""
    return Principal(user, session, NOON.timestamp() + issued)


@pytest.mark.parametrize(
    ("principal", "ended"),
    [
        (token(), True),
        (token(issued=3600), True),
        (token(session=OTHER), False),
        (token(session=None), False),
        (token(BOB), False),
    ],
)
def test_a_session_that_ends_takes_all_of_its_tokens_along_and_no_other(principal: Principal, ended: bool) -> None:
    revocation = Revocation(ALICE, ONE, NOON, LATER)
    assert revocation.matches(principal) is ended
    revoked = RevocationSet()
    revoked.add(revocation)
    assert revoked.matches(principal) is ended


@pytest.mark.parametrize(
    ("principal", "ended"),
    [
        (token(issued=-1), True),
        (token(issued=0), True),
        (token(issued=0.9), True),
        (token(issued=1), False),
        (token(session=None), True),
        (token(session=OTHER), True),
        (token(BOB), False),
    ],
)
def test_signing_a_user_out_takes_what_was_issued_up_to_then(principal: Principal, ended: bool) -> None:
    revocation = Revocation(ALICE, None, NOON, LATER)
    assert revocation.matches(principal) is ended
    revoked = RevocationSet()
    revoked.add(revocation)
    assert revoked.matches(principal) is ended


def test_of_two_on_the_same_the_later_counts_in_whatever_order() -> None:
    early, late = (Revocation(ALICE, None, NOON + timedelta(seconds=s), LATER) for s in (0, 10))
    for order in ([early, late], [late, early]):
        revoked = RevocationSet()
        for one in order:
            revoked.add(one)
        assert revoked.matches(token(issued=5))
        assert len(revoked) == 1


def test_what_concerns_no_living_token_is_forgotten() -> None:
    revoked = RevocationSet()
    revoked.add(Revocation(ALICE, ONE, NOON, LATER))
    revoked.add(Revocation(BOB, None, NOON, LATER + timedelta(seconds=1)))
    revoked.purge_expired(LATER)
    assert len(revoked) == 1
    assert not revoked.matches(token())
    assert revoked.matches(token(BOB))


def test_of_several_of_one_user_each_is_remembered_until_its_own_end() -> None:
    revoked = RevocationSet()
    revoked.add(Revocation(ALICE, ONE, NOON, LATER))
    revoked.add(Revocation(ALICE, OTHER, NOON, LATER + timedelta(seconds=1)))
    assert revoked.matches(token())
    assert revoked.matches(token(session=OTHER))
    assert len(revoked) == 2
    revoked.purge_expired(LATER)
    assert not revoked.matches(token())
    assert revoked.matches(token(session=OTHER))
    revoked.purge_expired(LATER + timedelta(seconds=1))
    assert len(revoked) == 0
