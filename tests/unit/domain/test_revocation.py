from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet

ALICE, BOB = UserId("alice"), UserId("bob")
ONE, OTHER = SessionId("s-1"), SessionId("s-2")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=7)


def token(user: UserId = ALICE, session: SessionId | None = ONE, *, issued: float = 0) -> Principal:
    """A principal whose token was issued so many seconds after noon."""
    return Principal(user, session, NOON.timestamp() + issued)


def purge(revoked: RevocationSet, now: datetime) -> None:
    for _ in revoked.purge_expired(now):
        pass


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
def test_revoking_a_session_revokes_all_of_its_tokens_and_no_others(principal: Principal, ended: bool) -> None:
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
def test_revoking_a_user_revokes_the_tokens_issued_up_to_then(principal: Principal, ended: bool) -> None:
    revocation = Revocation(ALICE, None, NOON, LATER)
    assert revocation.matches(principal) is ended
    revoked = RevocationSet()
    revoked.add(revocation)
    assert revoked.matches(principal) is ended


def test_the_later_of_two_revocations_counts_in_any_order() -> None:
    early, late = (Revocation(ALICE, None, NOON + timedelta(seconds=s), LATER) for s in (0, 10))
    for order in ([early, late], [late, early]):
        revoked = RevocationSet()
        for one in order:
            revoked.add(one)
        assert revoked.matches(token(issued=5))
        assert len(revoked) == 1


def test_the_later_expiry_of_two_revocations_counts_in_any_order() -> None:
    sooner = LATER - timedelta(days=6)
    for first, second in ((sooner, LATER), (LATER, sooner)):
        revoked = RevocationSet()
        revoked.add(Revocation(ALICE, ONE, NOON, first))
        revoked.add(Revocation(ALICE, ONE, NOON + timedelta(seconds=5), second))
        purge(revoked, sooner)
        assert revoked.matches(token())


USERS, SESSIONS = st.sampled_from([ALICE, BOB]), st.sampled_from([None, ONE, OTHER])


@given(
    made=st.lists(st.tuples(USERS, SESSIONS, st.floats(-1e6, 1e6), st.integers(1, 100))),
    asked=st.lists(st.tuples(USERS, SESSIONS, st.floats(-1e6, 1e6)), min_size=1),
)
def test_the_set_revokes_exactly_what_its_revocations_match(
    made: list[tuple[UserId, SessionId | None, float, int]], asked: list[tuple[UserId, SessionId | None, float]]
) -> None:
    revoked = RevocationSet()
    revocations = [
        Revocation(user, session, NOON + timedelta(seconds=at), NOON + timedelta(days=days))
        for user, session, at, days in made
    ]
    for one in revocations:
        revoked.add(one)
    purge(revoked, NOON)
    for user, session, issued in asked:
        principal = token(user, session, issued=issued)
        assert revoked.matches(principal) is any(one.matches(principal) for one in revocations)


def test_expired_revocations_are_purged() -> None:
    revoked = RevocationSet()
    revoked.add(Revocation(ALICE, ONE, NOON, LATER))
    revoked.add(Revocation(BOB, None, NOON, LATER + timedelta(seconds=1)))
    purge(revoked, LATER)
    assert len(revoked) == 1
    assert not revoked.matches(token())
    assert revoked.matches(token(BOB))


def test_each_revocation_of_a_user_is_kept_until_it_expires() -> None:
    revoked = RevocationSet()
    revoked.add(Revocation(ALICE, ONE, NOON, LATER))
    revoked.add(Revocation(ALICE, OTHER, NOON, LATER + timedelta(seconds=1)))
    assert revoked.matches(token())
    assert revoked.matches(token(session=OTHER))
    assert len(revoked) == 2
    purge(revoked, LATER)
    assert not revoked.matches(token())
    assert revoked.matches(token(session=OTHER))
    purge(revoked, LATER + timedelta(seconds=1))
    assert len(revoked) == 0
