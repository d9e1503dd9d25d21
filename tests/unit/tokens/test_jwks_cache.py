"""When the key set is fetched, and which requests wait: K1 to K3.

The clock moves only when a test advances it, and a held fetch ends when the test opens its gate.
"""

import asyncio

import pytest

from adapters.tokens.jwks_cache import JwksCacheConfig
from domain.errors import KeysUnavailable
from tests.support.fake_issuer import settle
from tests.support.jwks_cache import BOTH, COOLDOWN, DOWN, MAX_STALE, OLD_KEYS, TTL, Cached


class TestUse(Cached):
    async def test_nothing_is_fetched_before_it_is_needed(self) -> None:  # K10
        await settle()
        assert self.fetch.calls == 0

    async def test_a_known_key_is_fetched_once(self) -> None:
        for _ in range(5):
            assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 1

    @pytest.mark.parametrize("kid", ["", "OLD", "old ", "old\0", "ol", "oldd", "o\u0131d", "*", "%"])
    async def test_a_key_is_found_by_its_exact_kid(self, kid: str) -> None:  # R7
        await self.load()
        assert await self.is_unknown(kid)

    def test_the_usual_times_are_those_of_the_contract(self) -> None:
        assert JwksCacheConfig() == JwksCacheConfig(ttl=TTL, cooldown=COOLDOWN, max_stale=MAX_STALE)


class TestCurrent(Cached):
    """`current`: the key in memory, without waiting, while no refresh is due."""

    async def test_before_the_first_fetch_there_is_none(self) -> None:
        assert self.keys.current("old") is None

    @pytest.mark.parametrize(
        ("age", "is_current"), [(0, True), (TTL * 0.8 - 0.1, True), (TTL * 0.8, False), (TTL, False)]
    )
    async def test_a_known_key_is_current_until_a_refresh_is_due(self, age: float, is_current: bool) -> None:
        await self.load()
        self.clock.advance(age)
        assert self.keys.current("old") == (OLD_KEYS["old"] if is_current else None)
        await settle()
        assert self.fetch.calls == 1, "it starts no fetch"

    async def test_an_unknown_key_is_not_current(self) -> None:
        await self.load()
        assert self.keys.current("unknown") is None
        assert self.keys.current("OLD") is None

    async def test_a_removed_key_is_not_current(self) -> None:
        await self.load(BOTH)
        self.fetch.result = OLD_KEYS
        self.clock.advance(TTL)
        await self.keys.find("old")
        assert self.keys.current("old") == OLD_KEYS["old"]
        assert self.keys.current("new") is None

    async def test_while_the_issuer_fails_no_stale_key_is_current(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        self.clock.advance(TTL)
        await self.keys.find("old")
        assert self.keys.current("old") is None

    async def test_no_key_is_current_beyond_the_hard_limit(self) -> None:
        self.keys = self.cache(JwksCacheConfig(ttl=600, max_stale=100))
        await self.load()
        self.clock.advance(99.9)
        assert self.keys.current("old") == OLD_KEYS["old"]
        self.clock.advance(0.1)
        assert self.keys.current("old") is None


class TestOneFetch(Cached):
    """K1: at most one request in flight, whose result all waiters share."""

    async def test_all_waiters_share_one_fetch(self) -> None:
        gate = self.fetch.hold()
        finding = [asyncio.create_task(self.keys.find("old")) for _ in range(20)]
        await settle()
        assert not any(task.done() for task in finding)
        gate.set()
        assert await asyncio.gather(*finding) == [OLD_KEYS["old"]] * 20
        assert self.fetch.calls == 1

    async def test_all_waiters_share_one_failure(self) -> None:
        gate = self.fetch.hold()
        self.fetch.result = DOWN
        finding = [asyncio.create_task(self.keys.find("old")) for _ in range(20)]
        await settle()
        gate.set()
        outcomes = await asyncio.gather(*finding, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [KeysUnavailable] * 20
        assert self.fetch.calls == 1

    async def test_a_cancelled_waiter_does_not_cancel_the_others(self) -> None:
        gate = self.fetch.hold()
        cancelled, waiting = asyncio.create_task(self.keys.find("old")), asyncio.create_task(self.keys.find("old"))
        await settle()
        cancelled.cancel()
        await settle()
        assert cancelled.cancelled()
        gate.set()
        assert await waiting == OLD_KEYS["old"]
        assert (self.fetch.calls, self.fetch.cancelled) == (1, 0)

    async def test_a_fetch_completes_although_its_waiter_was_cancelled(self) -> None:
        gate = self.fetch.hold()
        cancelled = asyncio.create_task(self.keys.find("old"))
        await settle()
        cancelled.cancel()
        await settle()
        gate.set()
        await settle()
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert (self.fetch.calls, self.fetch.cancelled) == (1, 0)

    async def test_concurrent_unknown_keys_cause_one_fetch(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        finding = [asyncio.create_task(self.is_unknown(f"unknown-{number}")) for number in range(50)]
        await settle()
        gate.set()
        assert all(await asyncio.gather(*finding))
        assert self.fetch.calls == 2

    async def test_a_background_refresh_is_one_fetch_too(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(TTL * 0.9)
        for _ in range(5):
            await self.find_at_once("old")
        assert self.fetch.calls == 2
        gate.set()
        await settle()


class TestKnownKeys(Cached):
    """K2: a known key does not wait for a refresh that an unknown one caused."""

    async def test_a_known_key_does_not_wait_for_an_unknown_one(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        finding = asyncio.create_task(self.is_unknown("unknown"))
        await settle()
        assert self.fetch.calls == 2
        await self.find_at_once("old")
        assert not finding.done()
        gate.set()
        assert await finding

    @pytest.mark.parametrize(("age", "calls"), [(0, 1), (TTL * 0.8 - 0.1, 1), (TTL * 0.8, 2), (TTL - 0.1, 2)])
    async def test_aging_keys_are_refreshed_in_the_background(self, age: float, calls: int) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(age)
        await self.find_at_once("old")
        assert self.fetch.calls == calls
        gate.set()
        await settle()

    async def test_a_failed_background_refresh_affects_no_request(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        self.clock.advance(TTL * 0.9)
        await self.keys.find("old")
        await settle()
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2

    async def test_while_the_issuer_fails_no_known_key_waits(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        self.clock.advance(TTL)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        gate = self.fetch.hold()
        self.clock.advance(1)
        await self.find_at_once("old")
        assert self.fetch.calls == 3
        gate.set()
        await settle()


class TestUnknownKeys(Cached):
    """K3: one refresh per cooldown under any flood, and a rotation is still seen."""

    async def test_an_unknown_key_is_fetched_at_once(self) -> None:
        await self.load()
        self.fetch.result = BOTH
        assert await self.keys.find("new") == BOTH["new"]
        assert await self.keys.find("old") == BOTH["old"]
        assert self.fetch.calls == 2

    async def test_unknown_keys_cause_one_fetch_per_cooldown(self) -> None:
        await self.load()
        assert await self.is_unknown("unknown")
        self.clock.advance(COOLDOWN - 0.01)
        assert await self.is_unknown("unknown")
        assert await self.retry_after("another") == 1
        assert self.fetch.calls == 2
        self.clock.advance(0.01)
        assert await self.is_unknown("unknown")
        assert self.fetch.calls == 3

    async def test_a_flood_does_not_reach_the_issuer(self) -> None:
        await self.load()
        for second in range(3 * COOLDOWN):
            await asyncio.gather(self.keys.find(f"unknown-{second}"), return_exceptions=True)
            self.clock.advance(1)
        assert self.fetch.calls == 1 + 3

    async def test_a_rotation_under_a_flood_is_seen_after_the_cooldown(self) -> None:
        await self.load()
        assert await self.is_unknown("flood")
        self.fetch.result = BOTH
        for _ in range(COOLDOWN - 1):
            self.clock.advance(1)
            assert await self.is_unknown("flood")
            assert await self.retry_after("new") >= 1
        self.clock.advance(1)
        assert await self.keys.find("new") == BOTH["new"]

    async def test_only_refreshes_caused_by_unknown_keys_start_the_cooldown(self) -> None:
        await self.load()
        self.clock.advance(TTL)
        await self.keys.find("old")
        assert self.fetch.calls == 2
        self.fetch.result = BOTH
        assert await self.keys.find("new") == BOTH["new"]
        assert self.fetch.calls == 3

    async def test_an_unknown_key_waits_for_the_fetch_in_flight(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.fetch.result = BOTH
        self.clock.advance(TTL * 0.9)
        await self.find_at_once("old")
        finding = asyncio.create_task(self.keys.find("new"))
        await settle()
        assert not finding.done()
        gate.set()
        assert await finding == BOTH["new"]
        assert self.fetch.calls == 2

    async def test_a_key_that_the_fetch_in_flight_did_not_bring_is_fetched(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(TTL * 0.9)
        await self.find_at_once("old")
        finding = asyncio.create_task(self.is_unknown("new"))
        await settle()
        gate.set()
        assert await finding
        assert self.fetch.calls == 3

    async def test_an_unknown_key_respects_the_backoff(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        self.clock.advance(TTL * 0.9)
        await self.keys.find("old")
        await settle()
        self.fetch.result = BOTH
        assert await self.retry_after("new") == 1
        assert self.fetch.calls == 2
        self.clock.advance(1)  # the backoff did not start a cooldown
        assert await self.keys.find("new") == BOTH["new"]

    async def test_while_the_issuer_fails_nobody_knows_whether_a_key_is_unknown(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        assert await self.retry_after("new") == 1
        assert self.fetch.calls == 2
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.fetch.result = BOTH
        self.clock.advance(1.5)  # the backoff, not the cooldown: the issuer has not said that it has no such key
        assert await self.keys.find("new") == BOTH["new"]

    async def test_the_cooldown_is_a_setting(self) -> None:
        self.keys = self.cache(JwksCacheConfig(cooldown=5))
        await self.load()
        assert await self.is_unknown("unknown")
        self.clock.advance(4.9)
        assert await self.is_unknown("unknown")
        assert self.fetch.calls == 2
        self.clock.advance(0.2)
        assert await self.is_unknown("unknown")
        assert self.fetch.calls == 3
