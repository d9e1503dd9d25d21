"""A flood of tokens that must be verified does not block the event loop."""

import asyncio
from typing import Any

import pytest
from joserfc import jws

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.verification_queue import IDLE_ITERATION, MAX_WAIT, VerificationQueue
from domain.errors import InvalidToken, Overloaded
from tests.support.fake_issuer import ManualTime, PublishedKeys, settle
from tests.support.rejections import ALICE
from tests.support.tokens import Issuer


async def iterations_until_done(task: "asyncio.Task[None]") -> int:
    """Event-loop iterations until the task is done."""
    iterations = 0
    while not task.done():
        assert iterations < 1000, "it must end"
        await asyncio.sleep(0)
        iterations += 1
    return iterations


async def test_a_single_waiter_is_released_in_the_next_iteration() -> None:
    queue = VerificationQueue(clock=lambda: 0.0)
    for _ in range(3):
        assert await iterations_until_done(asyncio.create_task(queue.acquire())) <= 3


@pytest.mark.parametrize("max_wait", [MAX_WAIT, 0.005])
async def test_other_work_goes_first_until_the_maximum_wait(max_wait: float) -> None:
    busy = ManualTime(0.0)

    def a_millisecond_per_call() -> float:
        busy.advance(0.001)
        return busy()

    queue = VerificationQueue(max_wait=max_wait, clock=a_millisecond_per_call)
    iterations = await iterations_until_done(asyncio.create_task(queue.acquire()))
    assert max_wait * 1000 <= iterations <= max_wait * 1000 + 5


@pytest.mark.parametrize("idle_iteration", [IDLE_ITERATION, 0.001])
async def test_the_first_idle_iteration_releases_a_waiter(idle_iteration: float) -> None:
    clock = ManualTime(0.0)
    acquiring = asyncio.create_task(VerificationQueue(idle_iteration=idle_iteration, clock=clock).acquire())
    for _ in range(5):
        clock.advance(2 * idle_iteration)
        await asyncio.sleep(0)
        assert not acquiring.done()
    assert await iterations_until_done(acquiring) <= 2


async def test_each_iteration_releases_one_waiter_in_order_of_arrival() -> None:
    queue, loop, now = VerificationQueue(clock=lambda: 0.0), asyncio.get_running_loop(), 0
    released: list[tuple[int, int]] = []

    def tick() -> None:
        nonlocal now
        now += 1
        if len(released) < 5:
            loop.call_soon(tick)

    async def wait(number: int) -> None:
        await queue.acquire()
        released.append((number, now))

    loop.call_soon(tick)
    await asyncio.gather(*(wait(number) for number in range(5)))
    assert [number for number, _ in released] == list(range(5))
    at = [when for _, when in released]
    assert len(set(at)) == 5, "no two in one iteration"
    assert at[-1] - at[0] <= 6, "and no iteration is skipped while some wait"


async def test_a_cancelled_waiter_is_skipped() -> None:
    queue = VerificationQueue()
    _, second, third = tasks = [asyncio.create_task(queue.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait(tasks, timeout=60)
    assert second.cancelled()
    assert third.done()


async def test_the_queue_has_a_limit() -> None:
    queue = VerificationQueue(3)
    results = await asyncio.gather(*(queue.acquire() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [Overloaded] * 2


async def test_a_cached_token_does_not_wait_behind_new_ones(verifier: JwtVerifier, issuer: Issuer) -> None:
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
    assert sum(task.done() for task in flood) < 25, "one per iteration, and there were about twenty"
    refused = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(error) for error in refused} == {InvalidToken}


async def test_a_new_valid_token_is_verified_after_those_that_came_before(
    verifier: JwtVerifier, issuer: Issuer
) -> None:
    forger = Issuer.new(now=issuer.now)
    flood = [asyncio.create_task(verifier.verify(forger.token(f"user-{number}"))) for number in range(50)]
    assert await verifier.verify(issuer.token()) == ALICE
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_token_that_is_sent_repeatedly_while_others_wait_is_verified_once(
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


async def test_beyond_a_thousand_waiting_tokens_the_service_is_overloaded(
    verifier: JwtVerifier, issuer: Issuer
) -> None:
    tokens = [issuer.token(f"user-{number}") for number in range(1005)]
    results = await asyncio.gather(*(verifier.verify(token) for token in tokens), return_exceptions=True)
    assert [type(result) for result in results[1000:]] == [Overloaded] * 5
    assert not [result for result in results[:1000] if isinstance(result, Exception)]
