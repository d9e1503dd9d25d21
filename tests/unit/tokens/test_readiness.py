"""Whether there are keys to verify with: K10."""

import asyncio

import pytest

from adapters.tokens import jwks_cache as module
from adapters.tokens.jwks import JwksFetchError
from adapters.tokens.jwks_cache import JwksCache, KeysReadiness
from tests.support.fake_issuer import ManualTime, ScriptedFetch, published
from tests.support.tokens import Issuer

PROBLEM = "no usable key from the issuer: check EVO_TODO_JWKS_URL, and that the issuer runs"


@pytest.fixture
def fetch() -> ScriptedFetch:
    return ScriptedFetch(published(Issuer.new()))


@pytest.fixture
def readiness(fetch: ScriptedFetch, clock: ManualTime) -> KeysReadiness:
    return KeysReadiness(JwksCache(fetch, monotonic=clock))


async def test_with_keys_nothing_is_missing(readiness: KeysReadiness, fetch: ScriptedFetch) -> None:
    assert readiness.name == "keys"
    assert await readiness.problem() is None
    assert await readiness.problem() is None
    assert fetch.calls == 1


async def test_without_keys_it_says_what_to_check(
    readiness: KeysReadiness, fetch: ScriptedFetch, clock: ManualTime
) -> None:
    keys, fetch.answer = fetch.answer, JwksFetchError("down")
    assert await readiness.problem() == PROBLEM
    fetch.answer = keys
    clock.advance(2)
    assert await readiness.problem() is None


async def test_a_probe_does_not_wait_for_a_slow_issuer_and_the_fetch_goes_on(
    readiness: KeysReadiness, fetch: ScriptedFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.MAX_WAIT == 2
    gate = fetch.hold()
    with monkeypatch.context() as patch:
        patch.setattr(module, "MAX_WAIT", 0.01)
        async with asyncio.timeout(30):
            assert await readiness.problem() == PROBLEM
    finding = asyncio.create_task(readiness.problem())
    gate.set()
    assert await finding is None
    assert (fetch.calls, fetch.cancelled) == (1, 0)
