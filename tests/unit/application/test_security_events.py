from datetime import UTC, datetime, timedelta

import pytest
from attrs import frozen

from adapters.memory.audit import MemoryAuditLog
from adapters.memory.revocations import MemoryRevocations
from adapters.memory.task_lists import MemoryTaskLists
from application.security_events import EraseAccount, ReceiveSecurityEvent, RevokeSession
from domain.audit import AuditContext, AuditKind
from domain.errors import InvalidSecurityEvent, TaskNotFound
from domain.identity import Principal, SessionId, UserId
from domain.revocation import AccountPurged, SecurityEvent, SessionRevoked
from domain.task_list import TaskQuery
from tests.contracts.task_lists import add, get, new, page
from tests.support.clock import ManualClock

ALICE, BOB, ONE = UserId("alice"), UserId("bob"), SessionId("s-1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = AuditContext("r-1", "192.0.2.1")
TOLD: dict[str, SecurityEvent] = {
    "session": SessionRevoked(ALICE, ONE, NOW),
    "user": SessionRevoked(ALICE, None, NOW),
    "account": AccountPurged(ALICE, NOW),
}


@frozen
class Known:
    """Takes the events of the table above and no other."""

    async def verify(self, unverified_event: str) -> SecurityEvent:
        if unverified_event not in TOLD:
            raise InvalidSecurityEvent("invalid_request", "The token is malformed.")
        return TOLD[unverified_event]


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
    revocations = MemoryRevocations(clock, timedelta(days=7))
    revoke, erase = RevokeSession(revocations, log, clock), EraseAccount(revocations, lists, log, clock)
    return World(lists, revocations, log, ReceiveSecurityEvent(Known(), revoke, erase, log, clock))


async def test_a_session_is_ended_and_that_is_in_the_log(world: World) -> None:
    await world.receive("session", CONTEXT)
    assert world.is_revoked(ALICE)
    assert not world.is_revoked(ALICE, SessionId("s-2"))
    [event] = world.log.events
    assert (event.kind, event.user_id, event.session_id, event.context) == (
        AuditKind.SESSION_REVOKED,
        ALICE,
        ONE,
        CONTEXT,
    )


async def test_a_user_is_signed_out_everywhere(world: World) -> None:
    await world.receive("user", CONTEXT)
    assert world.is_revoked(ALICE, SessionId("s-2"))
    assert not world.is_revoked(BOB)


async def test_an_account_goes_with_its_tasks_and_nobody_elses(world: World) -> None:
    mine, others = await add(world.lists, new()), await add(world.lists, new(owner=BOB))
    await world.receive("account", CONTEXT)
    await world.receive("account", CONTEXT)
    assert world.is_revoked(ALICE, None)
    with pytest.raises(TaskNotFound):
        await get(world.lists, mine.id)
    assert await get(world.lists, others.id, owner=BOB) == others
    assert [event.kind for event in world.log.events] == [AuditKind.ACCOUNT_PURGED] * 2


async def test_tasks_go_only_once_no_token_can_write_any_more(world: World) -> None:
    order: list[str] = []

    class Slow(MemoryRevocations):
        async def wait_for_propagation(self) -> None:
            order.append("settled")
            await add(world.lists, new("from a worker that has not heard of it"))

    revocations = Slow(ManualClock(), timedelta(days=7))
    erase = EraseAccount(revocations, world.lists, world.log, ManualClock())
    await erase(AccountPurged(ALICE, NOW), CONTEXT)
    assert order == ["settled"]
    assert (await page(world.lists, TaskQuery())).tasks == ()


async def test_what_is_no_event_does_nothing_and_is_in_the_log_by_its_digest(world: World) -> None:
    with pytest.raises(InvalidSecurityEvent):
        await world.receive("else", CONTEXT)
    [event] = world.log.events
    assert (event.kind, event.reason, event.user_id) == (AuditKind.TOKEN_REFUSED, "The token is malformed.", None)
    assert event.token_digest
    assert event.token_digest != "else"
