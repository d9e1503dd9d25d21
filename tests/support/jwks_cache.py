"""The key cache with its time and its issuer in a test's hands."""

import asyncio
from collections.abc import Mapping
from typing import Final

import pytest

from adapters.tokens.jwks import JwksFetchError, PublicKey
from adapters.tokens.jwks_cache import JwksCache
from domain.errors import InvalidToken, KeysUnavailable
from tests.support.fake_issuer import ManualTime, ScriptedFetch, published, settle
from tests.support.tokens import Issuer

TTL, COOLDOWN, MAX_STALE = 600, 30, 86400
OLD, NEW = Issuer.new("old"), Issuer.new("new")
OLD_KEYS, NEW_KEYS, BOTH = published(OLD), published(NEW), published(OLD, NEW)
DOWN: Final = JwksFetchError("the issuer is down")


class Cached:
    """A key set over a scripted fetch."""

    @pytest.fixture(autouse=True)
    def _fixtures(self) -> None:
        self.clock = ManualTime(1000.0)
        self.fetch = ScriptedFetch(OLD_KEYS)
        self.keys = JwksCache(self.fetch, monotonic=self.clock, jitter=lambda: 0.0)

    async def load(self, answer: Mapping[str, PublicKey] = OLD_KEYS) -> None:
        self.fetch.answer = answer
        await self.keys.ensure_loaded()
        assert self.fetch.calls == 1

    async def find_at_once(self, kid: str) -> PublicKey:
        """The key, though a fetch may be held."""
        finding = asyncio.create_task(self.keys.find(kid))
        await settle()
        assert finding.done()
        return await finding

    async def is_unknown(self, kid: str) -> bool:
        try:
            await self.keys.find(kid)
        except InvalidToken as refused:
            return refused.reason == "The token is signed with a key that is not known here."
        return False

    async def retry_after(self, kid: str = "old") -> int:
        with pytest.raises(KeysUnavailable) as unavailable:
            await self.keys.find(kid)
        return unavailable.value.retry_after
