"""A flood of tokens that must be verified leaves the event loop to everybody else."""

import asyncio
from typing import Any

import pytest
from joserfc import jws

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.verification_queue import IDLE_TURN, MAX_WAIT, VerificationQueue
from domain.errors import InvalidToken, Overloaded
from tests.support.fake_issuer import ManualTime, PublishedKeys, settle
from tests.support.rejections import ALICE
from tests.support.tokens import Issuer


async def turns_until(taking: "asyncio.Task[None]") -> int:
    """How many queue of the event loop it takes."""
    queue = 0
    while not taking.done():
        assert queue < 1000, "and it has an end"
        await asyncio.sleep(0)
        queue += 1
    return queue


async def test_whoever_comes_alone_waits_for_the_next_turn_only() -> None:
    queue = VerificationQueue(clock=lambda: 0.0)
    for _ in range(3):
        assert await turns_until(asyncio.create_task(queue.acquire())) <= 3


async def test_what_others_do_goes_first_until_patience_ends() -> None:
    busy = ManualTime(0.0)

    def a_millisecond_a_look() -> float:
        busy.advance(0.001)
        return busy()

    taking = asyncio.create_task(VerificationQueue(clock=a_millisecond_a_look).acquire())
    assert MAX_WAIT * 1000 <= await turns_until(taking) <= MAX_WAIT * 1000 + 5


async def test_the_first_quiet_turn_is_taken() -> None:
    clock = ManualTime(0.0)
    taking = asyncio.create_task(VerificationQueue(clock=clock).acquire())
    for _ in range(5):
        clock.advance(2 * IDLE_TURN)
        await asyncio.sleep(0)
        assert not taking.done()
    assert await turns_until(taking) <= 2


async def test_in_each_turn_of_the_loop_one_goes_on_in_the_order_in_which_they_came() -> None:
    queue, loop, now = VerificationQueue(clock=lambda: 0.0), asyncio.get_running_loop(), 0
    taken: list[tuple[int, int]] = []

    def tick() -> None:
        nonlocal now
        now += 1
        if len(taken) < 5:
            loop.call_soon(tick)

    async def come(number: int) -> None:
        await queue.acquire()
        taken.append((number, now))

    loop.call_soon(tick)
    await asyncio.gather(*(come(number) for number in range(5)))
    assert [number for number, _ in taken] == list(range(5))
    at = [when for _, when in taken]
    assert len(set(at)) == 5, "no two in one turn"
    assert at[-1] - at[0] <= 6, "and no turn is left out, once they wait"


async def test_who_gives_up_is_passed_over() -> None:
    queue = VerificationQueue()
    _, second, third = tasks = [asyncio.create_task(queue.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait(tasks, timeout=60)
    assert second.cancelled()
    assert third.done()


async def test_there_is_an_end_to_waiting_in_line() -> None:
    queue = VerificationQueue(3)
    results = await asyncio.gather(*(queue.acquire() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [Overloaded] * 2


async def test_a_token_that_is_known_passes_by_a_thousand_that_are_not(verifier: JwtVerifier, issuer: Issuer) -> None:
    good = issuer.token()
    await verifier.verify(good)
    forger = Issuer.new(now=issuer.now)
    flood = [asyncio.create_task(verifier.verify(forger.token(f"user-{number}"))) for number in range(500)]
    await settle()
    for _ in range(10):
        verifying = verifier.verify(good)
        with pytest.raises(StopIteration) as passed:
            verifying.send(None)
        assert passed.value.value == ALICE
    assert sum(task.done() for task in flood) < 25, "one a turn, and there were twenty"
    refused = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(error) for error in refused} == {InvalidToken}


async def test_a_new_good_token_has_its_turn_behind_those_that_came_before(
    verifier: JwtVerifier, issuer: Issuer
) -> None:
    forger = Issuer.new(now=issuer.now)
    flood = [asyncio.create_task(verifier.verify(forger.token(f"user-{number}"))) for number in range(50)]
    assert await verifier.verify(issuer.token()) == ALICE
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_token_that_comes_twice_while_others_wait_is_verified_once(
    keys: PublishedKeys, rules: ClaimRules, clock: ManualTime, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier, verified = JwtVerifier(keys, rules, clock), 0
    deserialize = jws.deserialize_compact

    def count(*args: Any, **options: Any) -> Any:
        nonlocal verified
        verified += 1
        return deserialize(*args, **options)

    monkeypatch.setattr(jws, "deserialize_compact", count)
    first, token = issuer.token(jti="1"), issuer.token(jti="2")
    assert await asyncio.gather(*(verifier.verify(one) for one in [first] + [token] * 20)) == [ALICE] * 21
    assert verified == 2


async def test_beyond_a_thousand_that_wait_a_token_is_not_looked_at_which_is_nobodys_fault(
    verifier: JwtVerifier, issuer: Issuer
) -> None:
    tokens = [issuer.token(f"user-{number}") for number in range(1005)]
    results = await asyncio.gather(*(verifier.verify(token) for token in tokens), return_exceptions=True)
    assert [type(result) for result in results[1000:]] == [Overloaded] * 5
    assert not [result for result in results[:1000] if isinstance(result, Exception)]
