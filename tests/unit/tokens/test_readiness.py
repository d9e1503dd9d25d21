"""Whether there are keys to verify with: K10."""

import asyncio

import pytest

from adapters.tokens import readiness as module
from adapters.tokens.readiness import KeysReadiness
from adapters.tokens.remote_keys import KeySetNotFetched, RemoteKeySet
from tests.tokens import Issuer
from tests.unit.tokens.stand_ins import HandClock, ScriptedFetch, published

PROBLEM = "no usable key from the issuer: check EVO_TODO_JWKS_URL, and that the issuer runs"


@pytest.fixture
def fetch() -> ScriptedFetch:
    return ScriptedFetch(published(Issuer.new()))


@pytest.fixture
def readiness(fetch: ScriptedFetch, clock: HandClock) -> KeysReadiness:
    return KeysReadiness(RemoteKeySet(fetch, monotonic=clock))


async def test_with_keys_nothing_is_missing(readiness: KeysReadiness, fetch: ScriptedFetch) -> None:
    assert readiness.name == "keys"
    assert await readiness.problem() is None
    assert await readiness.problem() is None
    assert fetch.calls == 1


async def test_without_keys_it_says_what_to_check(
    readiness: KeysReadiness, fetch: ScriptedFetch, clock: HandClock
) -> None:
    keys, fetch.answer = fetch.answer, KeySetNotFetched("down")
    assert await readiness.problem() == PROBLEM
    fetch.answer = keys
    clock.advance(2)
    assert await readiness.problem() is None


async def test_a_probe_does_not_wait_for_a_slow_issuer_and_the_fetch_goes_on(
    readiness: KeysReadiness, fetch: ScriptedFetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.PATIENCE == 2
    gate = fetch.hold()
    with monkeypatch.context() as patch:
        patch.setattr(module, "PATIENCE", 0.01)
        async with asyncio.timeout(30):
            assert await readiness.problem() == PROBLEM
    finding = asyncio.create_task(readiness.problem())
    gate.set()
    assert await finding is None
    assert (fetch.calls, fetch.cancelled) == (1, 0)
