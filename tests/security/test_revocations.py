"""V4: many revocations hold up nobody. V8: a revocation outlives every token that it concerns."""

import asyncio
import math
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from adapters.memory.access import MemoryRevocations
from adapters.sql.database import Database
from adapters.sql.revocation_reads import START
from adapters.sql.revocations import SqlRevocations
from adapters.sql.tables import revocations as table
from adapters.tokens.claims import ClaimRules
from adapters.tokens.security_events import JwtSecurityEventVerifier
from domain.errors import InvalidSecurityEvent, InvalidToken
from domain.identity import SessionId, UserId
from domain.revocation import Revocation, RevocationSet, SessionRevoked, TokenLifetimes
from tests.contracts.revocations import ALICE, BOB, NOON, ONE, token
from tests.support.clock import ManualClock
from tests.support.fake_issuer import ManualTime, PublishedKeys, published
from tests.support.tokens import AUDIENCE, ISSUER, SESSION_REVOKED, Issuer
from tests.support.worker_clock import WorkerClock

SIGNER = Issuer.new()
KEYS = PublishedKeys(published(SIGNER))
ARRIVAL = 1_800_000_000
"""When the event reaches the service, by its clock."""
QUARTER = 900.0
MANY = [UserId(f"user-{number}") for number in range(40)]


@pytest.fixture
def hand() -> WorkerClock:
    return WorkerClock()


def worker(database: Database, hand: WorkerClock, page: int = 4) -> SqlRevocations:
    return SqlRevocations(database, TokenLifetimes(), 30, hand.now, hand.monotonic, page=page)


@asynccontextmanager
async def largest_step(revocations: SqlRevocations) -> AsyncIterator[list[int]]:
    """The most revocations that a turn of the event loop adds or removes meanwhile."""
    steps = [0]

    async def watch() -> None:
        known = len(revocations._revoked)
        while True:
            await asyncio.sleep(0)
            before, known = known, len(revocations._revoked)
            steps.append(abs(known - before))

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield steps
    finally:
        await asyncio.sleep(0)
        watching.cancel()


async def test_v04_a_worker_reads_and_purges_many_revocations_in_parts_and_serves_between(
    database: Database, hand: WorkerClock
) -> None:
    here, elsewhere = worker(database, hand), worker(database, hand)
    for user in MANY:
        await here.revoke(user, ONE, NOON)
    async with largest_step(elsewhere) as steps:
        await elsewhere.refresh()
    assert max(steps) == 4, "a page"
    assert all(elsewhere.is_revoked(token(user)) for user in MANY)
    assert not elsewhere.is_revoked(token())

    hand.seconds = 60
    await elsewhere.refresh()
    elsewhere._revoked = RevocationSet()
    async with largest_step(elsewhere) as steps:
        await elsewhere.read_all_if_due()
    assert max(steps) == 4
    assert len(elsewhere._revoked) == len(MANY)
    hand.seconds = TokenLifetimes().retention().total_seconds() + 1
    async with largest_step(elsewhere) as steps:
        await elsewhere.purge_expired()
    assert 0 < max(steps) < len(MANY) / 2
    assert len(elsewhere._revoked) == 0


def test_v04_a_revocation_takes_at_most_200_bytes_and_no_part_of_the_set_is_large() -> None:
    rows = 50_000
    for session in (ONE, None):
        tracemalloc.start()
        revoked = RevocationSet()
        for number in range(rows):
            revoked.add(Revocation(UserId(f"{number:036}"), session, NOON, NOON + timedelta(days=7)))
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(revoked) == rows
        assert taken / rows <= 200
        assert max(map(len, revoked._parts)) < 2 * rows / 256, "or its growth would take long"


async def test_v04_a_first_read_that_is_interrupted_goes_on_where_it_stopped_and_misses_nothing(
    database: Database, hand: WorkerClock
) -> None:
    here, elsewhere = worker(database, hand), worker(database, hand, page=2)
    for user in MANY:
        hand.seconds += 0.01
        await here.revoke(user, ONE, NOON)
    reading = asyncio.create_task(elsewhere.refresh())
    while len(elsewhere._revoked) < len(MANY) / 2:  # noqa: ASYNC110  (the progress of another task)
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert elsewhere._full_read_after != START
    assert not elsewhere.is_current, "a part of the revocations is not enough to accept a token"
    await here.revoke(UserId("a"), ONE, NOON)  # before the rows that were read
    await elsewhere.refresh()
    assert all(elsewhere.is_revoked(token(user)) for user in [*MANY, UserId("a")])


async def test_v04_more_rows_of_one_instant_than_a_page_are_read_too(
    database: Database, admin_database: Database, hand: WorkerClock
) -> None:
    here, elsewhere = worker(database, hand), worker(database, hand)
    await elsewhere.refresh()
    for user in MANY:
        await here.revoke(user, ONE, NOON)
    async with admin_database.writes.begin() as connection:
        at = select(table.c.recorded_at).where(table.c.user_id == MANY[-1]).scalar_subquery()
        await connection.execute(update(table).values(recorded_at=at))
    await elsewhere.refresh()
    assert not all(elsewhere.is_revoked(token(user)) for user in MANY)
    await elsewhere.read_all_if_due()
    assert all(elsewhere.is_revoked(token(user)) for user in MANY)


async def test_v04_a_poll_that_finds_nothing_new_does_not_read_the_last_rows_for_ever(
    database: Database, hand: WorkerClock
) -> None:
    here = worker(database, hand)
    await here.revoke(ALICE, ONE, NOON)
    await here.refresh()

    async def read_again() -> int:
        return sum([len(rows) async for rows in here._reads.new_pages(here._watermark.after)])

    assert await read_again() == 1, "an older transaction may still commit"
    hand.seconds = 31
    await here.refresh()
    assert await read_again() == 0


async def stored_until(database: Database) -> float:
    expires_at: datetime = (await database.read(select(table.c.expires_at))).scalar_one()
    return (expires_at - NOON).total_seconds()


async def test_v04_a_row_lives_as_long_as_the_tokens_it_concerns_and_is_never_shortened(
    database: Database, hand: WorkerClock
) -> None:
    here, lifetimes = worker(database, hand), TokenLifetimes()
    await here.revoke(ALICE, ONE, NOON, QUARTER)
    assert QUARTER < await stored_until(database) == lifetimes.retention(QUARTER).total_seconds() < 2 * QUARTER
    await here.revoke(ALICE, ONE, NOON)
    await here.revoke(ALICE, ONE, NOON + timedelta(seconds=1), QUARTER)
    longest = lifetimes.retention().total_seconds()
    assert await stored_until(database) == longest
    hand.seconds = longest - 1
    await here.purge_expired()
    await here.refresh()
    assert here.is_revoked(token())


async def event_of(details: dict[str, Any]) -> SessionRevoked:
    rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
    verifier = JwtSecurityEventVerifier(KEYS, rules, ManualTime(SIGNER.now()))
    event = await verifier.verify(SIGNER.security_event(session="s-1", details=details))
    assert isinstance(event, SessionRevoked)
    return event


@pytest.mark.parametrize("lifetime", [1, 0.5, 900, 604_800, 604_801, 1e300, 10**400])
async def test_an_event_may_state_the_lifetime_of_its_tokens_and_a_longer_one_than_ours_counts_as_ours(
    lifetime: float,
) -> None:
    event = await event_of({"token_lifetime": lifetime})
    assert event.token_lifetime is not None
    lifetimes = TokenLifetimes()
    assert lifetimes.retention(event.token_lifetime) == lifetimes.retention(min(lifetime, lifetimes.longest))
    assert (await event_of({})).token_lifetime is None


@pytest.mark.parametrize("lifetime", [0, -1, -0.5, True, False, None, "900", [900], {}, math.inf, -(10**400)])
async def test_a_lifetime_that_is_no_positive_number_is_refused(lifetime: object) -> None:
    with pytest.raises(InvalidSecurityEvent):
        await event_of({"token_lifetime": lifetime})


@st.composite
def issuers(draw: st.DrawFn) -> dict[str, float]:
    """An issuer with a clock of its own, ahead as far as events are accepted or behind, and the rules it is under."""
    leeway, longest = draw(st.floats(0, 60)), draw(st.floats(60, 7 * 86400))
    tolerance = TokenLifetimes(leeway=leeway).event_tolerance
    return {
        "leeway": leeway,
        "longest": longest,
        "skew": draw(st.floats(-tolerance, tolerance) | st.just(tolerance - 0.001)),
        "lifetime": draw(st.floats(1, longest)),
        "age": draw(st.floats(0, 100) | st.just(0.0)),
    }


async def accepted_event(rules: ClaimRules, issuer_time: float, details: dict[str, float]) -> SessionRevoked | None:
    event = SIGNER.security_event(
        session="s-1", iat=math.floor(issuer_time), events={SESSION_REVOKED: {"event_timestamp": issuer_time} | details}
    )
    try:
        verified = await JwtSecurityEventVerifier(KEYS, rules, ManualTime(ARRIVAL)).verify(event)
    except InvalidSecurityEvent:
        return None
    assert isinstance(verified, SessionRevoked)
    return verified


@given(made=issuers(), whole=st.booleans(), stated=st.booleans(), steps=st.lists(st.floats(0, 1), max_size=5))
@example(
    made={"leeway": 30, "longest": 604_800, "skew": 100, "lifetime": 604_800, "age": 0},
    whole=True,
    stated=False,
    steps=[],
)
@example(
    made={"leeway": 0, "longest": 3600, "skew": 299.9, "lifetime": 3599, "age": 0}, whole=True, stated=True, steps=[]
)
@example(
    made={"leeway": 60, "longest": 900, "skew": 359, "lifetime": 900, "age": 0}, whole=False, stated=True, steps=[]
)
@settings(max_examples=150, deadline=None)
def test_v08_no_token_is_accepted_after_its_revocation_whatever_the_issuers_clock_shows(
    made: dict[str, float], whole: bool, stated: bool, steps: list[float]
) -> None:
    asyncio.run(walk(made, whole, stated, steps))


async def walk(made: dict[str, float], whole: bool, stated: bool, steps: list[float]) -> None:
    """Walk from the event to the last instant at which the session's newest token is accepted."""
    rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE, leeway=made["leeway"], max_lifetime=made["longest"])
    issuer_time = ARRIVAL + made["skew"]
    issued = issuer_time - made["age"]
    # Better Auth truncates both dates to whole seconds; another issuer may not.
    dates = {"iat": issued, "exp": issued + made["lifetime"]}
    claims = SIGNER.claims() | {"sid": "s-1"} | {name: math.floor(at) if whole else at for name, at in dates.items()}
    event = await accepted_event(rules, issuer_time, {"token_lifetime": made["lifetime"]} if stated else {})
    if event is None:
        assert abs(issuer_time - ARRIVAL) > rules.lifetimes.event_tolerance - 1
        return
    clock = ManualClock(datetime.fromtimestamp(ARRIVAL, UTC))
    revocations = MemoryRevocations(clock, rules.lifetimes)
    await revocations.revoke(event.user_id, event.session_id, event.at, event.token_lifetime)
    end = claims["exp"] + rules.leeway
    for now in sorted({ARRIVAL + (end - ARRIVAL) * step for step in [0, *steps]} | {end - 1, end - 0.001}):
        clock.instant = max(clock.instant, datetime.fromtimestamp(now, UTC))
        await revocations.revoke(BOB, None, NOON)  # forgets what has expired
        try:
            principal, _ = rules.validate(claims, now=now)
        except InvalidToken:
            continue
        assert revocations.is_revoked(principal)


@pytest.mark.parametrize("ahead", [-329, 0, 100, 329])
@pytest.mark.parametrize("stated", [None, QUARTER])
async def test_v08_a_revoked_token_does_not_come_back_after_a_restart(
    ahead: int, stated: float | None, database: Database, hand: WorkerClock
) -> None:
    lifetimes = TokenLifetimes()
    here = worker(database, hand)
    await here.revoke(ALICE, ONE, NOON + timedelta(seconds=ahead), stated)
    last = ahead + (stated or lifetimes.longest) + lifetimes.leeway
    # Another worker's clock is ahead of the one that restarts, and deletes what has expired by it.
    hand.seconds = last + lifetimes.event_tolerance
    await here.purge_expired()
    for hand.seconds in (last - 1, last - 0.01):
        restarted = worker(database, hand)
        await restarted.refresh()
        assert restarted.is_revoked(token())


async def test_v08_a_session_revoked_twice_is_kept_for_the_later_end_in_either_order(
    database: Database, hand: WorkerClock
) -> None:
    here, lifetimes = worker(database, hand), TokenLifetimes()
    for number, (first, second) in enumerate([(None, QUARTER), (QUARTER, None)]):
        user, early, late = MANY[number], NOON - timedelta(seconds=300), NOON + timedelta(seconds=300)
        for at, stated in ((late, first), (early, second)):
            await here.revoke(user, SessionId("s-1"), at, stated)
    hand.seconds = lifetimes.retention().total_seconds() - 1
    await here.purge_expired()
    restarted = worker(database, hand)
    for one in (here, restarted):
        await one.refresh()
        assert all(one.is_revoked(token(user)) for user in MANY[:2])
