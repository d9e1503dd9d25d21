"""When an unknown key is refused, and when nobody can know yet: a client must not throw a good token away for that."""

import asyncio

from adapters.tokens.jwks_cache import MAX_UNKNOWN
from tests.support.fake_issuer import settle
from tests.support.jwks_cache import BOTH, COOLDOWN, DOWN, OLD_KEYS, TTL, Cached


class TestUnknownKeys(Cached):
    """An unknown key is refused only if the issuer was asked, with success, since the key came up; else: later."""

    async def test_a_key_that_comes_up_during_the_cooldown_is_judged_after_it(self) -> None:
        await self.load()
        assert await self.is_unknown("flood")
        self.clock.advance(10)
        assert await self.retry_after("new") == COOLDOWN - 10
        assert self.fetch.calls == 2
        self.fetch.result = BOTH
        self.clock.advance(COOLDOWN - 10)
        assert await self.keys.find("new") == BOTH["new"]

    async def test_a_key_that_a_later_fetch_does_not_bring_is_unknown(self) -> None:
        await self.load()
        assert await self.is_unknown("flood")
        assert await self.retry_after("stranger") == COOLDOWN
        self.clock.advance(COOLDOWN)
        assert await self.is_unknown("flood"), "this asks for both"
        assert await self.is_unknown("stranger")
        assert self.fetch.calls == 3

    async def test_a_fetch_that_began_before_the_key_came_up_says_nothing_about_it(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        finding = asyncio.create_task(self.is_unknown("flood"))
        await settle()
        late = asyncio.create_task(self.retry_after("late"))
        await settle()
        gate.set()
        assert await finding
        assert await late == COOLDOWN

    async def test_while_the_issuer_fails_a_key_that_it_has_denied_stays_unknown_and_others_wait(self) -> None:
        await self.load()
        assert await self.is_unknown("denied")
        self.fetch.result = DOWN
        for delay in (1, 2, 4):
            self.clock.advance(COOLDOWN)
            assert await self.is_unknown("denied")
            assert await self.retry_after("new") == delay
        self.fetch.result = BOTH
        self.clock.advance(COOLDOWN)
        assert await self.keys.find("new") == BOTH["new"]
        assert await self.is_unknown("denied")

    async def test_a_key_that_the_issuer_has_withdrawn_is_unknown_at_once(self) -> None:
        await self.load(BOTH)
        assert await self.is_unknown("flood")
        self.fetch.result = OLD_KEYS
        self.clock.advance(TTL)
        await self.keys.find("old")
        assert await self.is_unknown("flood"), "the cooldown begins again"
        assert await self.is_unknown("new")
        assert self.fetch.calls == 4

    async def test_keys_that_came_up_are_forgotten_beyond_a_number_and_judged_later(self) -> None:
        await self.load()
        assert await self.is_unknown("first")
        for number in range(MAX_UNKNOWN):
            await self.retry_after(f"flood-{number}")
        assert len(self.keys._unknown) == MAX_UNKNOWN
        assert await self.retry_after("first") == COOLDOWN
