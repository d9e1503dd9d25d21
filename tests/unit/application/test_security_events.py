from datetime import UTC, datetime

import pytest
from attrs import frozen

from adapters.memory.access import MemoryAuditLog, MemoryRevocations
from adapters.memory.task_lists import MemoryTaskLists
from adapters.system.clock_and_ids import UuidV7Generator
from application.security_events import EraseAccount, ReceiveSecurityEvent, RevokeSession
from application.tasks import CreateTask
from domain.audit import AuditContext, AuditKind
from domain.errors import InvalidSecurityEvent, InvalidToken, TaskNotFound
from domain.identity import Principal, SessionId, UserId
from domain.revocation import AccountPurged, SecurityEvent, SessionRevoked, TokenLifetimes
from domain.task_list import TaskQuery
from tests.contracts.task_lists import add, get, new, page
from tests.support.clock import ManualClock

ALICE, BOB, ONE = UserId("alice"), UserId("bob"), SessionId("s-1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = AuditContext("r-1", "192.0.2.1")
EVENTS: dict[str, SecurityEvent] = {
    "session": SessionRevoked(ALICE, ONE, NOW),
    "user": SessionRevoked(ALICE, None, NOW),
    "account": AccountPurged(ALICE, NOW),
}


@frozen
class EventVerifier:
    """Accepts the events of the table above and no others."""

    async def verify(self, unverified_event: str, client: str) -> SecurityEvent:
        assert client == "192.0.2.0"
        if unverified_event not in EVENTS:
            raise InvalidSecurityEvent("invalid_request", "The token is malformed.")
        return EVENTS[unverified_event]


@frozen
class World:
    lists: MemoryTaskLists
    revocations: MemoryRevocations
    log: MemoryAuditLog
    receive: ReceiveSecurityEvent

    def is_revoked(self, user: UserId, session: SessionId | None = ONE) -> bool:
        return self.revocations.is_revoked(Principal(user, session, NOW.timestamp()))


@pytest.fixture
def world() -> World:
    clock, log, lists = ManualClock(), MemoryAuditLog(), MemoryTaskLists()
    revocations = MemoryRevocations(clock, TokenLifetimes())
    revoke, erase = RevokeSession(revocations, log, clock), EraseAccount(revocations, lists, log, clock)
    return World(lists, revocations, log, ReceiveSecurityEvent(EventVerifier(), revoke, erase, log, clock))


async def test_a_session_is_revoked_and_recorded(world: World) -> None:
    await world.receive("session", CONTEXT, "192.0.2.0")
    assert world.is_revoked(ALICE)
    assert not world.is_revoked(ALICE, SessionId("s-2"))
    [event] = world.log.events
    assert (event.kind, event.user_id, event.session_id, event.context) == (
        AuditKind.SESSION_REVOKED,
        ALICE,
        ONE,
        CONTEXT,
    )


async def test_all_sessions_of_a_user_are_revoked(world: World) -> None:
    await world.receive("user", CONTEXT, "192.0.2.0")
    assert world.is_revoked(ALICE, SessionId("s-2"))
    assert not world.is_revoked(BOB)


async def test_an_account_is_erased_with_its_tasks_and_no_others(world: World) -> None:
    mine, others = await add(world.lists, new()), await add(world.lists, new(owner=BOB))
    await world.receive("account", CONTEXT, "192.0.2.0")
    await world.receive("account", CONTEXT, "192.0.2.0")
    assert world.is_revoked(ALICE, None)
    with pytest.raises(TaskNotFound):
        await get(world.lists, mine.id)
    assert await get(world.lists, others.id, owner=BOB) == others
    assert [event.kind for event in world.log.events] == [AuditKind.ACCOUNT_PURGED] * 2


async def test_a_worker_that_has_not_heard_of_it_can_store_no_task_afterwards(world: World) -> None:
    await world.receive("account", CONTEXT, "192.0.2.0")
    create = CreateTask(world.lists, ManualClock(), UuidV7Generator())
    await create(Principal(BOB, ONE, NOW.timestamp()), BOB, title="Buy milk", description=None)
    with pytest.raises(InvalidToken):
        await create(Principal(ALICE, ONE, NOW.timestamp()), ALICE, title="Buy milk", description=None)
    assert (await page(world.lists, TaskQuery())).tasks == ()


async def test_an_invalid_event_has_no_effect_and_is_recorded_by_its_digest(world: World) -> None:
    with pytest.raises(InvalidSecurityEvent):
        await world.receive("else", CONTEXT, "192.0.2.0")
    [event] = world.log.events
    assert (event.kind, event.reason, event.user_id) == (AuditKind.TOKEN_REFUSED, "The token is malformed.", None)
    assert event.token_digest
    assert event.token_digest != "else"
