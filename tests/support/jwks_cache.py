"""Base class for tests of JwksCache: a manual clock and a scripted issuer."""

import asyncio
from collections.abc import Mapping
from typing import Final

import pytest

from adapters.tokens.jwks import JwksFetchError, PublicKey
from adapters.tokens.jwks_cache import FIRST_BACKOFF, MAX_BACKOFF, JwksCache, JwksCacheConfig
from application.background import Backoff
from domain.errors import InvalidToken, KeysUnavailable
from tests.support.fake_issuer import ManualTime, ScriptedFetch, published, settle
from tests.support.tokens import Issuer

TTL, COOLDOWN, MAX_STALE = 600, 30, 86400
OLD, NEW = Issuer.new("old"), Issuer.new("new")
OLD_KEYS, NEW_KEYS, BOTH = published(OLD), published(NEW), published(OLD, NEW)
DOWN: Final = JwksFetchError("the issuer is down")


class Cached:
    """A key cache over a scripted fetch; its backoff has no jitter."""

    @pytest.fixture(autouse=True)
    def _fixtures(self) -> None:
        self.clock = ManualTime(1000.0)
        self.fetch = ScriptedFetch(OLD_KEYS)
        self.keys = self.cache()

    def cache(self, config: JwksCacheConfig | None = None, *, jitter: float = 0.0) -> JwksCache:
        backoff = Backoff(FIRST_BACKOFF, MAX_BACKOFF, lambda: jitter)
        return JwksCache(self.fetch, config or JwksCacheConfig(), self.clock, backoff)

    async def load(self, keys: Mapping[str, PublicKey] = OLD_KEYS) -> None:
        self.fetch.result = keys
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 1

    async def find_at_once(self, kid: str) -> PublicKey:
        """The key, although a fetch may be held."""
        finding = asyncio.create_task(self.keys.find(kid))
        await settle()
        assert finding.done()
        return await finding

    async def is_unknown(self, kid: str) -> bool:
        try:
            await self.keys.find(kid)
        except InvalidToken as error:
            return error.reason == "The token is signed with an unknown key."
        return False

    async def retry_after(self, kid: str = "old") -> int:
        with pytest.raises(KeysUnavailable) as unavailable:
            await self.keys.find(kid)
        return unavailable.value.retry_after
