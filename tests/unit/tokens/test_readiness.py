"""The readiness check for keys: K10."""

import asyncio

import pytest

from adapters.tokens.jwks import JwksFetchError
from adapters.tokens.jwks_cache import READINESS_TIMEOUT, JwksCache, JwksReadiness
from tests.support.fake_issuer import ManualTime, ScriptedFetch, published
from tests.support.tokens import Issuer

PROBLEM = "no usable key from the issuer: check EVO_TODO_JWKS_URL, and that the issuer runs"


@pytest.fixture
def fetch() -> ScriptedFetch:
    return ScriptedFetch(published(Issuer.new()))


@pytest.fixture
def readiness(fetch: ScriptedFetch, clock: ManualTime) -> JwksReadiness:
    return JwksReadiness(JwksCache(fetch, monotonic=clock))


async def test_with_keys_there_is_no_problem(readiness: JwksReadiness, fetch: ScriptedFetch) -> None:
    assert readiness.name == "keys"
    assert await readiness.problem() is None
    assert await readiness.problem() is None
    assert fetch.calls == 1


async def test_without_keys_it_says_what_to_check(
    readiness: JwksReadiness, fetch: ScriptedFetch, clock: ManualTime
) -> None:
    keys, fetch.result = fetch.result, JwksFetchError("down")
    assert await readiness.problem() == PROBLEM
    fetch.result = keys
    clock.advance(2)
    assert await readiness.problem() is None


async def test_a_probe_does_not_wait_for_a_slow_issuer_and_the_fetch_goes_on(
    fetch: ScriptedFetch, clock: ManualTime
) -> None:
    assert READINESS_TIMEOUT == 2
    cache = JwksCache(fetch, monotonic=clock)
    gate = fetch.hold()
    async with asyncio.timeout(30):
        assert await JwksReadiness(cache, timeout=0.01).problem() == PROBLEM
    finding = asyncio.create_task(JwksReadiness(cache).problem())
    gate.set()
    assert await finding is None
    assert (fetch.calls, fetch.cancelled) == (1, 0)
