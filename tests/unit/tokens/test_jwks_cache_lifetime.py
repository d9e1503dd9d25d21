"""How long the key set is used, and its use while the issuer fails: K4 to K6, K10."""

import asyncio

import pytest

from adapters.tokens.jwks_cache import JwksCacheConfig
from domain.errors import KeysUnavailable
from tests.support.fake_issuer import settle
from tests.support.jwks_cache import BOTH, DOWN, MAX_STALE, NEW_KEYS, OLD_KEYS, TTL, Cached


class TestBackoff(Cached):
    """K4: a failing issuer is asked less and less often, and its last keys are kept."""

    @pytest.mark.parametrize(("jitter", "factor"), [(0.0, 1), (0.5, 1.125), (1.0, 1.25)])
    async def test_delays_double_up_to_half_a_minute(self, jitter: float, factor: float) -> None:
        self.fetch.result = DOWN
        self.keys = self.cache(jitter=jitter)
        for failures, delay in enumerate([1, 2, 4, 8, 16, 30, 30, 30], start=1):
            await self.retry_after()
            assert self.fetch.calls == failures
            self.clock.advance(delay * factor - 0.001)
            assert await self.retry_after() == 1
            assert self.fetch.calls == failures
            self.clock.advance(0.001)

    async def test_the_delay_is_sent_as_retry_after(self) -> None:
        self.fetch.result = DOWN
        for delay in (1, 2, 4, 8, 16, 30):
            assert await self.retry_after() == delay
            self.clock.advance(0.5)
            assert await self.retry_after() == delay
            self.clock.advance(delay - 0.5)

    async def test_a_success_resets_the_backoff(self) -> None:
        self.fetch.result = DOWN
        for delay in (1, 2, 4):
            await self.retry_after()
            self.clock.advance(delay)
        self.fetch.result = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.fetch.result = DOWN
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
        self.fetch.result = DOWN
        for _ in range(1100):
            assert 1 <= await self.retry_after() <= 30
            self.clock.advance(30)
        self.fetch.result = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]

    async def test_a_failure_is_logged_with_its_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        self.fetch.result = DOWN
        await self.retry_after()
        (record,) = caplog.records
        assert (record.levelname, record.message) == ("WARNING", "key set not fetched")
        assert (record.__dict__["reason"], record.__dict__["failures"]) == ("the issuer is down", 1)

    @pytest.mark.parametrize("failure", [RuntimeError("unexpected"), OSError("unexpected"), TimeoutError()], ids=repr)
    async def test_an_unexpected_exception_is_a_failed_fetch(
        self, failure: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:  # R17
        self.fetch.result = failure
        assert await self.retry_after() == 1
        assert await self.retry_after() == 1
        assert self.fetch.calls == 1
        assert [record.__dict__["reason"] for record in caplog.records] == [f"unexpected: {type(failure).__name__}"]
        self.clock.advance(1)
        self.fetch.result = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]


class TestLife(Cached):
    """K5: refreshed at the end of its TTL, kept while the issuer fails, and dropped at the hard limit."""

    async def test_a_removed_key_is_refused_after_the_ttl(self) -> None:
        await self.load(BOTH)
        self.fetch.result = NEW_KEYS
        self.clock.advance(TTL * 0.8 - 0.1)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.clock.advance(TTL * 0.2 + 0.1)
        assert await self.is_unknown("old")
        assert await self.keys.find("new") == NEW_KEYS["new"]

    async def test_a_removed_key_is_refused_earlier_under_traffic(self) -> None:
        await self.load(BOTH)
        self.fetch.result = NEW_KEYS
        self.clock.advance(TTL * 0.8)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        await settle()
        assert await self.is_unknown("old")

    async def test_after_the_ttl_the_set_is_refreshed_first(self) -> None:
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

    async def test_a_refreshed_set_has_a_new_ttl(self) -> None:
        await self.load()
        self.clock.advance(TTL)
        await self.keys.find("old")
        self.clock.advance(TTL * 0.8 - 0.1)
        await self.keys.find("old")
        await settle()
        assert self.fetch.calls == 2

    async def test_old_keys_serve_for_a_day_while_the_issuer_fails(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        for _ in range(MAX_STALE // TTL - 1):
            self.clock.advance(TTL)
            assert await self.keys.find("old") == OLD_KEYS["old"]
            await settle()
        self.clock.advance(TTL - 0.01)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        await settle()
        self.clock.advance(0.01)
        assert await self.retry_after() >= 1

    async def test_keys_too_old_are_not_used_after_a_time_without_requests(self) -> None:
        await self.load()
        self.fetch.result = DOWN
        self.clock.advance(MAX_STALE)
        assert await self.retry_after() == 1
        assert self.fetch.calls == 2

    async def test_keys_too_old_come_back_with_the_issuer(self) -> None:
        await self.load()
        self.clock.advance(MAX_STALE)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2

    async def test_keys_that_become_too_old_during_a_failing_fetch_are_not_used(self) -> None:
        self.keys = self.cache(JwksCacheConfig(ttl=10, max_stale=12))
        await self.load()
        gate = self.fetch.hold()
        self.fetch.result = DOWN
        self.clock.advance(11)
        finding = asyncio.create_task(self.keys.find("old"))
        await settle()
        self.clock.advance(1)
        gate.set()
        with pytest.raises(KeysUnavailable):
            await finding

    async def test_a_recovered_issuer_is_noticed_while_old_keys_serve(self) -> None:
        await self.load(BOTH)
        self.fetch.result = DOWN
        self.clock.advance(TTL)
        await self.keys.find("old")
        self.fetch.result = NEW_KEYS
        self.clock.advance(1)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        await settle()
        assert await self.is_unknown("old")

    async def test_the_ttl_is_a_setting(self) -> None:
        self.keys = self.cache(JwksCacheConfig(ttl=10, max_stale=20))
        await self.load()
        self.clock.advance(7.9)
        await self.keys.find("old")
        await settle()
        assert self.fetch.calls == 1
        self.fetch.result = DOWN
        self.clock.advance(12)
        assert await self.keys.find("old") == OLD_KEYS["old"]
        self.clock.advance(0.1)
        await self.retry_after()

    async def test_a_change_is_logged_and_a_refresh_is_not(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        await self.load(BOTH)
        self.clock.advance(TTL)
        await self.keys.find("old")
        self.fetch.result = NEW_KEYS
        self.clock.advance(TTL)
        await self.keys.find("new")
        assert [record.__dict__["kids"] for record in caplog.records] == [["new", "old"], ["new"]]
        assert {record.message for record in caplog.records} == {"key set changed"}


class TestNoKeys(Cached):
    """K6: without any keys the service is unavailable, and no token is refused."""

    @pytest.mark.parametrize("kid", ["old", "unknown"])
    async def test_without_keys_no_token_can_be_verified(self, kid: str) -> None:
        self.fetch.result = DOWN
        assert await self.retry_after(kid) == 1
        assert self.fetch.calls == 1

    async def test_the_issuer_may_start_later_than_the_service(self) -> None:  # K10
        self.fetch.result = DOWN
        await self.retry_after()
        self.fetch.result = OLD_KEYS
        self.clock.advance(1)
        assert await self.keys.find("old") == OLD_KEYS["old"]

    async def test_an_issuer_without_a_key_is_asked_every_second(self) -> None:
        self.fetch.result = {}
        assert await self.retry_after() == 1
        self.clock.advance(0.999)
        assert await self.retry_after() == 1
        assert self.fetch.calls == 1
        self.clock.advance(0.001)
        self.fetch.result = OLD_KEYS
        assert await self.keys.find("old") == OLD_KEYS["old"]
        assert self.fetch.calls == 2
        assert await self.is_unknown("unknown")  # and its delay is reset
        assert self.fetch.calls == 3

    async def test_an_issuer_that_withdraws_every_key_is_believed(self) -> None:
        await self.load()
        self.fetch.result = {}
        self.clock.advance(TTL)
        assert await self.retry_after() == 1
        assert self.fetch.calls == 2


class TestLoading(Cached):
    """K10: `ensure_loaded`, which readiness calls."""

    async def test_loading_fetches_missing_keys(self) -> None:
        await self.keys.ensure_loaded()
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 1

    async def test_loading_refreshes_keys_past_their_ttl(self) -> None:
        await self.load()
        self.clock.advance(TTL - 0.1)
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 1
        self.clock.advance(0.1)
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 2

    async def test_loading_accepts_stale_keys_but_not_missing_ones(self) -> None:
        self.fetch.result = DOWN
        with pytest.raises(KeysUnavailable):
            await self.keys.ensure_loaded()
        self.fetch.result = OLD_KEYS
        self.clock.advance(1)
        await self.keys.ensure_loaded()
        self.fetch.result = DOWN
        self.clock.advance(MAX_STALE - 1)
        await self.keys.ensure_loaded()
        self.clock.advance(1)
        with pytest.raises(KeysUnavailable):
            await self.keys.ensure_loaded()

    async def test_an_empty_set_is_not_loaded(self) -> None:
        self.fetch.result = {}
        with pytest.raises(KeysUnavailable):
            await self.keys.ensure_loaded()


class TestClose(Cached):
    async def test_closing_cancels_the_fetch_in_flight(self) -> None:
        await self.load()
        self.fetch.hold()
        self.clock.advance(TTL * 0.9)
        await self.find_at_once("old")
        await self.keys.close()
        assert self.fetch.cancelled == 1

    async def test_closing_without_a_fetch_in_flight_does_nothing(self) -> None:
        await self.keys.close()
        await self.load()
        await self.keys.close()
        assert await self.keys.find("old") == OLD_KEYS["old"]
