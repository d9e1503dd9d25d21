"""When the key set is fetched, and who waits: K1 to K3.

Time stands still but where a test moves it, and a fetch ends when a test lets it.
"""

import asyncio

import pytest

from adapters.tokens.jwks_cache import JwksCache, JwksCacheConfig
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
    async def test_a_key_is_found_by_its_exact_name(self, kid: str) -> None:  # R7
        await self.load()
        assert await self.is_unknown(kid)

    def test_the_usual_times_are_those_of_the_contract(self) -> None:
        assert JwksCacheConfig() == JwksCacheConfig(ttl=TTL, cooldown=COOLDOWN, max_stale=MAX_STALE)


class TestOneFetch(Cached):
    """K1: one request in flight at most, its result is everybody's."""

    async def test_all_who_wait_share_one_fetch(self) -> None:
        gate = self.fetch.hold()
        finding = [asyncio.create_task(self.keys.find("old")) for _ in range(20)]
        await settle()
        assert not any(task.done() for task in finding)
        gate.set()
        assert await asyncio.gather(*finding) == [OLD_KEYS["old"]] * 20
        assert self.fetch.calls == 1

    async def test_all_who_wait_share_one_failure(self) -> None:
        gate = self.fetch.hold()
        self.fetch.answer = DOWN
        finding = [asyncio.create_task(self.keys.find("old")) for _ in range(20)]
        await settle()
        gate.set()
        outcomes = await asyncio.gather(*finding, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [KeysUnavailable] * 20
        assert self.fetch.calls == 1

    async def test_one_who_gives_up_takes_nobody_along(self) -> None:
        gate = self.fetch.hold()
        hasty, patient = asyncio.create_task(self.keys.find("old")), asyncio.create_task(self.keys.find("old"))
        await settle()
        hasty.cancel()
        await settle()
        assert hasty.cancelled()
        gate.set()
        assert await patient == OLD_KEYS["old"]
        assert (self.fetch.calls, self.fetch.cancelled) == (1, 0)

    async def test_a_fetch_ends_well_though_nobody_waits_any_more(self) -> None:
        gate = self.fetch.hold()
        hasty = asyncio.create_task(self.keys.find("old"))
        await settle()
        hasty.cancel()
        await settle()
        gate.set()
        await settle()
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert (self.fetch.calls, self.fetch.cancelled) == (1, 0)

    async def test_unknown_keys_of_many_at_once_cause_one_fetch(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        finding = [asyncio.create_task(self.is_unknown(f"unknown-{number}")) for number in range(50)]
        await settle()
        gate.set()
        assert all(await asyncio.gather(*finding))
        assert self.fetch.calls == 2

    async def test_a_refresh_in_passing_is_one_fetch_too(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(TTL * 0.9)
        for _ in range(5):
            await self.find_at_once("old")
        assert self.fetch.calls == 2
        gate.set()
        await settle()


class TestKnownKeys(Cached):
    """K2: a known key does not wait for a refresh that somebody else caused."""

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
    async def test_keys_that_age_are_renewed_in_passing(self, age: float, calls: int) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(age)
        await self.find_at_once("old")
        assert self.fetch.calls == calls
        gate.set()
        await settle()

    async def test_a_failed_renewal_in_passing_harms_nobody(self) -> None:
        await self.load()
        self.fetch.answer = DOWN
        self.clock.advance(TTL * 0.9)
        await self.keys.find("old")
        await settle()
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2

    async def test_while_the_issuer_fails_no_known_key_waits(self) -> None:
        await self.load()
        self.fetch.answer = DOWN
        self.clock.advance(TTL)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        gate = self.fetch.hold()
        self.clock.advance(1)
        await self.find_at_once("old")
        assert self.fetch.calls == 3
        gate.set()
        await settle()


class TestUnknownKeys(Cached):
    """K3: one refresh a cool-down, whatever the flood; and a rotation is seen all the same."""

    async def test_an_unknown_key_is_looked_for_at_once(self) -> None:
        await self.load()
        self.fetch.answer = BOTH
        assert await self.keys.find("new") == BOTH["new"]
        assert await self.keys.find("old") == BOTH["old"]
        assert self.fetch.calls == 2

    async def test_it_is_looked_for_once_a_cool_down(self) -> None:
        await self.load()
        assert await self.is_unknown("unknown")
        self.clock.advance(COOLDOWN - 0.01)
        assert await self.is_unknown("unknown")
        assert await self.is_unknown("another")
        assert self.fetch.calls == 2
        self.clock.advance(0.01)
        assert await self.is_unknown("unknown")
        assert self.fetch.calls == 3

    async def test_a_flood_does_not_reach_the_issuer(self) -> None:
        await self.load()
        for second in range(3 * COOLDOWN):
            assert await self.is_unknown(f"unknown-{second}")
            self.clock.advance(1)
        assert self.fetch.calls == 1 + 3

    async def test_a_rotation_under_a_flood_is_seen_after_the_cool_down(self) -> None:
        await self.load()
        assert await self.is_unknown("flood")
        self.fetch.answer = BOTH
        for _ in range(COOLDOWN - 1):
            self.clock.advance(1)
            assert await self.is_unknown("flood")
            assert await self.is_unknown("new")
        self.clock.advance(1)
        assert await self.keys.find("new") == BOTH["new"]

    async def test_only_refreshes_that_unknown_keys_caused_start_the_cool_down(self) -> None:
        await self.load()
        self.clock.advance(TTL)
        await self.keys.find("old")
        assert self.fetch.calls == 2
        self.fetch.answer = BOTH
        assert await self.keys.find("new") == BOTH["new"]
        assert self.fetch.calls == 3

    async def test_an_unknown_key_waits_for_the_fetch_in_flight(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.fetch.answer = BOTH
        self.clock.advance(TTL * 0.9)
        await self.find_at_once("old")
        finding = asyncio.create_task(self.keys.find("new"))
        await settle()
        assert not finding.done()
        gate.set()
        assert await finding == BOTH["new"]
        assert self.fetch.calls == 2

    async def test_what_the_fetch_in_flight_did_not_bring_is_looked_for(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(TTL * 0.9)
        await self.find_at_once("old")
        finding = asyncio.create_task(self.is_unknown("new"))
        await settle()
        gate.set()
        assert await finding
        assert self.fetch.calls == 3

    async def test_an_unknown_key_obeys_the_back_off(self) -> None:
        await self.load()
        self.fetch.answer = DOWN
        self.clock.advance(TTL * 0.9)
        await self.keys.find("old")
        await settle()
        self.fetch.answer = BOTH
        assert await self.is_unknown("new")
        assert self.fetch.calls == 2
        self.clock.advance(1)  # the back-off used up no cool-down
        assert await self.keys.find("new") == BOTH["new"]

    async def test_an_unknown_key_stays_unknown_while_the_issuer_fails(self) -> None:
        await self.load()
        self.fetch.answer = DOWN
        assert await self.is_unknown("new")
        assert self.fetch.calls == 2
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.fetch.answer = BOTH
        self.clock.advance(1.5)  # the back-off's, and no cool-down: nobody has heard the issuer say no
        assert await self.keys.find("new") == BOTH["new"]

    async def test_the_cool_down_is_a_setting(self) -> None:
        self.keys = JwksCache(self.fetch, JwksCacheConfig(cooldown=5), self.clock, lambda: 0.0)
        await self.load()
        assert await self.is_unknown("unknown")
        self.clock.advance(4.9)
        assert await self.is_unknown("unknown")
        assert self.fetch.calls == 2
        self.clock.advance(0.2)
        assert await self.is_unknown("unknown")
        assert self.fetch.calls == 3
