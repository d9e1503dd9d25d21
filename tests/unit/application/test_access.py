from datetime import UTC, datetime

import pytest
from attrs import field, frozen

from adapters.memory.access import MemoryAuditLog, MemoryRevocations
from adapters.tokens.jwt_verifier import Unlimited
from application.access import Authenticate
from application.authorization import Authorize
from application.ports import Client
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.errors import AccessDenied, InvalidToken
from domain.identity import Principal, SessionId, UserId
from domain.revocation import TokenLifetimes
from tests.support.clock import ManualClock

ALICE = Principal(UserId("alice"), SessionId("s-1"))
CONTEXT = AuditContext("r-1", "192.0.2.1")
CLIENT = Unlimited()
REFUSED = AuditEvent(
    kind=AuditKind.TOKEN_REFUSED,
    at=datetime(2026, 1, 1, tzinfo=UTC),
    context=CONTEXT,
    reason="The token is malformed.",
    token_digest="2f05d4b689d270ca",
)


@frozen
class SessionTokens:
    """Accepts a session's ID as a token of Alice's, except for `bad`."""

    expired: bool = False
    _verified: set[str] = field(init=False, factory=set)

    async def verify(self, unverified_token: str, client: Client) -> Principal:
        assert client is CLIENT
        if unverified_token == "bad":
            raise InvalidToken("The token is malformed.")
        self._verified.add(unverified_token)
        return Principal(ALICE.user_id, SessionId(unverified_token))

    def remembered(self, unverified_token: bytes) -> Principal | None:
        if self.expired:
            raise InvalidToken("The token is malformed.")
        token = unverified_token.decode()
        return Principal(ALICE.user_id, SessionId(token)) if token in self._verified else None


@frozen
class World:
    authenticate: Authenticate
    revocations: MemoryRevocations
    log: MemoryAuditLog

    @classmethod
    def new(cls, *, expired: bool = False, max_known_sessions: int = 10) -> "World":
        clock, log = ManualClock(), MemoryAuditLog()
        revocations = MemoryRevocations(clock, TokenLifetimes())
        verifier = SessionTokens(expired)
        authenticate = Authenticate(verifier, revocations, log, clock, max_known_sessions=max_known_sessions)
        return cls(authenticate, revocations, log)

    async def revoke(self, session: str) -> None:
        await self.revocations.revoke(ALICE.user_id, SessionId(session), ManualClock().now())


async def test_a_valid_token_returns_its_principal_and_its_session_is_recorded_once() -> None:
    world = World.new()
    await world.revoke("another")
    for _ in range(3):
        assert await world.authenticate("s-1", CONTEXT, CLIENT) == ALICE
    assert [(event.kind, event.user_id, event.session_id) for event in world.log.events] == [
        (AuditKind.SESSION_SEEN, "alice", "s-1")
    ]


async def test_a_refused_token_is_recorded_by_its_digest_alone() -> None:
    world = World.new()
    with pytest.raises(InvalidToken):
        await world.authenticate("bad", CONTEXT, CLIENT)
    assert list(world.log.events) == [REFUSED]


async def test_a_revoked_token_is_refused() -> None:
    world = World.new()
    await world.revoke("s-1")
    with pytest.raises(InvalidToken, match="revoked"):
        await world.authenticate("s-1", CONTEXT, CLIENT)
    assert [event.reason for event in world.log.events] == ["The token has been revoked."]


async def test_the_least_recently_used_session_is_evicted_and_recorded_again() -> None:
    world = World.new(max_known_sessions=2)
    for session in ("1", "2", "1", "3", "1", "2"):
        await world.authenticate(session, CONTEXT, CLIENT)
    assert [event.session_id for event in world.log.events] == ["1", "2", "3", "2"]


async def test_a_remembered_token_returns_its_principal_without_waiting() -> None:
    world = World.new()
    assert world.authenticate.remembered(b"s-1", CONTEXT) is None
    await world.authenticate("s-1", CONTEXT, CLIENT)
    remembered = world.authenticate.remembered(b"s-1", CONTEXT)
    assert remembered == ALICE
    assert remembered.session_id == ALICE.session_id
    assert len(world.log.events) == 1


async def test_a_remembered_token_keeps_its_session_from_being_evicted() -> None:
    world = World.new(max_known_sessions=2)
    for session in ("1", "2"):
        await world.authenticate(session, CONTEXT, CLIENT)
    world.authenticate.remembered(b"1", CONTEXT)
    for session in ("3", "1"):
        await world.authenticate(session, CONTEXT, CLIENT)
    assert [event.session_id for event in world.log.events] == ["1", "2", "3"]


async def test_a_remembered_token_of_an_unknown_session_has_to_wait_so_that_the_session_is_recorded() -> None:
    world = World.new(max_known_sessions=1)
    for session in ("1", "2"):
        await world.authenticate(session, CONTEXT, CLIENT)
    assert world.authenticate.remembered(b"1", CONTEXT) is None
    assert len(world.log.events) == 2


async def test_a_remembered_token_that_was_revoked_is_refused_and_recorded_like_any_other() -> None:
    world = World.new()
    await world.authenticate("s-1", CONTEXT, CLIENT)
    await world.revoke("s-1")
    with pytest.raises(InvalidToken, match="revoked"):
        world.authenticate.remembered(b"s-1", CONTEXT)
    with pytest.raises(InvalidToken, match="revoked"):
        await world.authenticate("s-1", CONTEXT, CLIENT)
    _, without_waiting, waiting = world.log.events
    assert without_waiting == waiting
    assert without_waiting.reason == "The token has been revoked."


def test_a_remembered_token_that_expired_is_refused_and_recorded() -> None:
    world = World.new(expired=True)
    with pytest.raises(InvalidToken):
        world.authenticate.remembered(b"bad", CONTEXT)
    assert list(world.log.events) == [REFUSED]


def test_only_the_own_list_may_be_accessed_and_the_attempt_is_recorded_without_the_others_id() -> None:
    log = MemoryAuditLog()
    authorize = Authorize(log, ManualClock())
    authorize(ALICE, UserId("alice"), CONTEXT)
    assert not log.events
    with pytest.raises(AccessDenied):
        authorize(ALICE, UserId("bob"), CONTEXT)
    [event] = log.events
    assert (event.kind, event.user_id, event.session_id, event.context) == (
        AuditKind.ACCESS_DENIED,
        "alice",
        "s-1",
        CONTEXT,
    )
    assert "bob" not in repr(event)
