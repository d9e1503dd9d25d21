"""A flood of tokens that must be verified blocks neither the event loop nor other clients."""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest
from joserfc import jws

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.verification_queue import IDLE_ITERATION, MAX_WAIT, VerificationQueue
from domain.errors import InvalidToken
from tests.support.fake_issuer import ManualTime, PublishedKeys, settle
from tests.support.rejections import ALICE
from tests.support.tokens import Issuer


def good() -> None:
    """A check that succeeds."""


async def iterations_until_done(task: "asyncio.Task[None]") -> int:
    """Event-loop iterations until the task is done."""
    iterations = 0
    while not task.done():
        assert iterations < 1000, "it must end"
        await asyncio.sleep(0)
        iterations += 1
    return iterations


class TestOtherWork:
    """Checks leave the event loop to other work."""

    async def test_a_single_check_is_made_in_the_next_iteration(self) -> None:
        queue = VerificationQueue(clock=lambda: 0.0)
        for _ in range(3):
            assert await iterations_until_done(asyncio.create_task(queue.run(good))) <= 3

    @pytest.mark.parametrize("max_wait", [MAX_WAIT, 0.005])
    async def test_other_work_goes_first_until_the_maximum_wait(self, max_wait: float) -> None:
        busy = ManualTime(0.0)

        def a_millisecond_per_call() -> float:
            busy.advance(0.001)
            return busy()

        queue = VerificationQueue(max_wait=max_wait, clock=a_millisecond_per_call)
        iterations = await iterations_until_done(asyncio.create_task(queue.run(good)))
        assert max_wait * 1000 <= iterations <= max_wait * 1000 + 5

    @pytest.mark.parametrize("idle_iteration", [IDLE_ITERATION, 0.001])
    async def test_the_first_idle_iteration_makes_a_check(self, idle_iteration: float) -> None:
        clock = ManualTime(0.0)
        running = asyncio.create_task(VerificationQueue(idle_iteration=idle_iteration, clock=clock).run(good))
        for _ in range(5):
            clock.advance(2 * idle_iteration)
            await asyncio.sleep(0)
            assert not running.done()
        assert await iterations_until_done(running) <= 2

    async def test_each_iteration_makes_one_check(self) -> None:
        queue, loop, now = VerificationQueue(clock=lambda: 0.0), asyncio.get_running_loop(), 0
        checked_at: list[int] = []

        def tick() -> None:
            nonlocal now
            now += 1
            if len(checked_at) < 5:
                loop.call_soon(tick)

        loop.call_soon(tick)
        await asyncio.gather(*(queue.run(lambda: checked_at.append(now)) for _ in range(5)))
        assert len(set(checked_at)) == 5, "no two in one iteration"
        assert checked_at[-1] - checked_at[0] <= 5, "and no iteration is skipped while some wait"

    async def test_a_check_runs_in_the_context_of_its_request(self) -> None:
        request: ContextVar[str] = ContextVar("request")

        async def serve(name: str) -> str:
            request.set(name)
            return await queue.run(request.get)

        queue = VerificationQueue()
        assert await asyncio.gather(*map(serve, "abc")) == ["a", "b", "c"]


async def test_a_cached_token_does_not_wait_behind_new_ones(verifier: JwtVerifier, issuer: Issuer) -> None:
    known = issuer.token()
    await verifier.verify(known)
    forger = Issuer.new(now=issuer.now)
    flood = [asyncio.create_task(verifier.verify(forger.token(f"user-{number}"))) for number in range(500)]
    await settle()
    for _ in range(10):
        verifying = verifier.verify(known)
        with pytest.raises(StopIteration) as passed:
            verifying.send(None)
        assert passed.value.value == ALICE
    assert sum(task.done() for task in flood) < 25, "one per iteration, and there were about twenty"
    refused = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(error) for error in refused} == {InvalidToken}


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
