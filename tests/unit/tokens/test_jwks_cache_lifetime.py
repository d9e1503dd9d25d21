"""How long the key set lasts, and what becomes of it while the issuer fails: K4 to K6, K10."""

import asyncio

import pytest

from adapters.tokens.jwks_cache import JwksCache, JwksCacheConfig
from domain.errors import KeysUnavailable
from tests.support.fake_issuer import settle
from tests.support.jwks_cache import BOTH, DOWN, MAX_STALE, NEW_KEYS, OLD_KEYS, TTL, Cached


class TestBackOff(Cached):
    """K4: a failing issuer is asked ever less often, and its last keys are kept."""

    @pytest.mark.parametrize(("jitter", "factor"), [(0.0, 1), (0.5, 1.125), (1.0, 1.25)])
    async def test_pauses_double_up_to_half_a_minute(self, jitter: float, factor: float) -> None:
        self.fetch.answer = DOWN
        self.keys = JwksCache(self.fetch, monotonic=self.clock, jitter=lambda: jitter)
        for failures, pause in enumerate([1, 2, 4, 8, 16, 30, 30, 30], start=1):
            await self.retry_after()
            assert self.fetch.calls == failures
            self.clock.advance(pause * factor - 0.001)
            assert await self.retry_after() == 1
            assert self.fetch.calls == failures
            self.clock.advance(0.001)

    async def test_the_pause_is_the_answers_retry_after(self) -> None:
        self.fetch.answer = DOWN
        for pause in (1, 2, 4, 8, 16, 30):
            assert await self.retry_after() == pause
            self.clock.advance(0.5)
            assert await self.retry_after() == pause
            self.clock.advance(pause - 0.5)

    async def test_one_success_ends_the_pauses(self) -> None:
        self.fetch.answer = DOWN
        for pause in (1, 2, 4):
            await self.retry_after()
            self.clock.advance(pause)
        self.fetch.answer = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.fetch.answer = DOWN
        self.clock.advance(TTL)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        calls = self.fetch.calls
        self.clock.advance(0.999)
        await self.keys.find("old")
        await settle()
        assert self.fetch.calls == calls
        self.clock.advance(0.001)
        await self.keys.find("old")
        await settle()
        assert self.fetch.calls == calls + 1

    async def test_an_outage_of_days_changes_nothing(self) -> None:  # R17
        self.fetch.answer = DOWN
        for _ in range(1100):
            assert 1 <= await self.retry_after() <= 30
            self.clock.advance(30)
        self.fetch.answer = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]

    async def test_a_failure_is_logged_with_its_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        self.fetch.answer = DOWN
        await self.retry_after()
        (record,) = caplog.records
        assert (record.levelname, record.message) == ("WARNING", "key set not fetched")
        assert (record.__dict__["reason"], record.__dict__["failures"]) == ("the issuer is down", 1)

    @pytest.mark.parametrize("failure", [RuntimeError("unforeseen"), OSError("unforeseen"), TimeoutError()], ids=repr)
    async def test_a_fetch_that_fails_as_nobody_foresaw_is_a_failed_fetch(
        self, failure: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:  # R17
        self.fetch.answer = failure
        assert await self.retry_after() == 1
        assert await self.retry_after() == 1
        assert self.fetch.calls == 1
        assert [record.__dict__["reason"] for record in caplog.records] == [f"unforeseen: {type(failure).__name__}"]
        self.clock.advance(1)
        self.fetch.answer = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]


class TestLife(Cached):
    """K5: renewed at the end of its life, kept while the issuer fails, and at last not used any more."""

    async def test_a_removed_key_dies_with_the_set_it_was_in(self) -> None:
        await self.load(BOTH)
        self.fetch.answer = NEW_KEYS
        self.clock.advance(TTL * 0.8 - 0.1)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.clock.advance(TTL * 0.2 + 0.1)
        assert await self.is_unknown("old")
        assert await self.keys.find("new") == NEW_KEYS["new"]

    async def test_a_removed_key_dies_earlier_where_tokens_come_in(self) -> None:
        await self.load(BOTH)
        self.fetch.answer = NEW_KEYS
        self.clock.advance(TTL * 0.8)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        await settle()
        assert await self.is_unknown("old")

    async def test_at_the_end_of_its_life_the_set_is_renewed_first(self) -> None:
        await self.load()
        gate = self.fetch.hold()
        self.clock.advance(TTL)
        finding = asyncio.create_task(self.keys.find("old"))
        await settle()
        assert not finding.done()
        gate.set()
        assert await finding == OLD_KEYS["old"]
        assert self.fetch.calls == 2
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2

    async def test_a_renewed_set_lives_anew(self) -> None:
        await self.load()
        self.clock.advance(TTL)
        await self.keys.find("old")
        self.clock.advance(TTL * 0.8 - 0.1)
        await self.keys.find("old")
        await settle()
        assert self.fetch.calls == 2

    async def test_old_keys_serve_for_a_day_while_the_issuer_fails(self) -> None:
        await self.load()
        self.fetch.answer = DOWN
        for _ in range(MAX_STALE // TTL - 1):
            self.clock.advance(TTL)
            assert await self.keys.find("old") == OLD_KEYS["old"]
            await settle()
        self.clock.advance(TTL - 0.01)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        await settle()
        self.clock.advance(0.01)
        assert await self.retry_after() >= 1

    async def test_keys_too_old_are_not_used_though_nobody_asked_meanwhile(self) -> None:
        await self.load()
        self.fetch.answer = DOWN
        self.clock.advance(MAX_STALE)
        assert await self.retry_after() == 1
        assert self.fetch.calls == 2

    async def test_keys_too_old_come_back_with_the_issuer(self) -> None:
        await self.load()
        self.clock.advance(MAX_STALE)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2

    async def test_keys_that_grow_too_old_while_a_fetch_fails_are_not_used(self) -> None:
        self.keys = JwksCache(self.fetch, JwksCacheConfig(ttl=10, max_stale=12), self.clock, lambda: 0.0)
        await self.load()
        gate = self.fetch.hold()
        self.fetch.answer = DOWN
        self.clock.advance(11)
        finding = asyncio.create_task(self.keys.find("old"))
        await settle()
        self.clock.advance(1)
        gate.set()
        with pytest.raises(KeysUnavailable):
            await finding

    async def test_a_recovered_issuer_is_noticed_while_old_keys_serve(self) -> None:
        await self.load(BOTH)
        self.fetch.answer = DOWN
        self.clock.advance(TTL)
        await self.keys.find("old")
        self.fetch.answer = NEW_KEYS
        self.clock.advance(1)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        await settle()
        assert await self.is_unknown("old")

    async def test_the_life_is_a_setting(self) -> None:
        self.keys = JwksCache(self.fetch, JwksCacheConfig(ttl=10, max_stale=20), self.clock, lambda: 0.0)
        await self.load()
        self.clock.advance(7.9)
        await self.keys.find("old")
        await settle()
        assert self.fetch.calls == 1
        self.fetch.answer = DOWN
        self.clock.advance(12)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.clock.advance(0.1)
        await self.retry_after()

    async def test_a_change_is_logged_and_a_renewal_is_not(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        await self.load(BOTH)
        self.clock.advance(TTL)
        await self.keys.find("old")
        self.fetch.answer = NEW_KEYS
        self.clock.advance(TTL)
        await self.keys.find("new")
        assert [record.__dict__["kids"] for record in caplog.records] == [["new", "old"], ["new"]]
        assert {record.message for record in caplog.records} == {"key set changed"}


class TestNoKeys(Cached):
    """K6: no keys at all is nobody's fault but the issuer's."""

    @pytest.mark.parametrize("kid", ["old", "unknown"])
    async def test_without_keys_no_token_can_be_judged(self, kid: str) -> None:
        self.fetch.answer = DOWN
        assert await self.retry_after(kid) == 1
        assert self.fetch.calls == 1

    async def test_the_issuer_may_come_later_than_the_service(self) -> None:  # K10
        self.fetch.answer = DOWN
        await self.retry_after()
        self.fetch.answer = OLD_KEYS
        self.clock.advance(1)
        assert await self.keys.find("old") == OLD_KEYS["old"]

    async def test_an_issuer_without_a_key_is_asked_every_second(self) -> None:
        self.fetch.answer = {}
        assert await self.retry_after() == 1
        self.clock.advance(0.999)
        assert await self.retry_after() == 1
        assert self.fetch.calls == 1
        self.clock.advance(0.001)
        self.fetch.answer = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2
        assert await self.is_unknown("unknown")  # and its pause is forgotten
        assert self.fetch.calls == 3

    async def test_an_issuer_that_withdraws_every_key_is_believed(self) -> None:
        await self.load()
        self.fetch.answer = {}
        self.clock.advance(TTL)
        assert await self.retry_after() == 1
        assert self.fetch.calls == 2


class TestLoading(Cached):
    """K10: what readiness asks."""

    async def test_loading_fetches_what_is_not_there(self) -> None:
        await self.keys.ensure_loaded()
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 1

    async def test_loading_renews_what_is_past_its_life(self) -> None:
        await self.load()
        self.clock.advance(TTL - 0.1)
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 1
        self.clock.advance(0.1)
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 2

    async def test_loading_is_content_with_old_keys_but_not_with_none(self) -> None:
        self.fetch.answer = DOWN
        with pytest.raises(KeysUnavailable):
            await self.keys.ensure_loaded()
        self.fetch.answer = OLD_KEYS
        self.clock.advance(1)
        await self.keys.ensure_loaded()
        self.fetch.answer = DOWN
        self.clock.advance(MAX_STALE - 1)
        await self.keys.ensure_loaded()
        self.clock.advance(1)
        with pytest.raises(KeysUnavailable):
            await self.keys.ensure_loaded()

    async def test_an_empty_set_is_not_loaded(self) -> None:
        self.fetch.answer = {}
        with pytest.raises(KeysUnavailable):
            await self.keys.ensure_loaded()


class TestClose(Cached):
    async def test_closing_ends_the_fetch_in_flight(self) -> None:
        await self.load()
        self.fetch.hold()
        self.clock.advance(TTL * 0.9)
        await self.find_at_once("old")
        await self.keys.close()
        assert self.fetch.cancelled == 1

    async def test_closing_is_nothing_where_nothing_is_in_flight(self) -> None:
        await self.keys.close()
        await self.load()
        await self.keys.close()
        assert await self.keys.find("old") == OLD_KEYS["old"]
