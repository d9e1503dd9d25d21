"""The issuer's key set, kept near: who waits for it, when it is asked for again, and how long it lasts."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import Final

from attrs import define, field, frozen

from adapters.tokens.jwks import JwksFetchError, PublicKey
from domain.errors import InvalidToken, KeysUnavailable

logger = logging.getLogger(__name__)

REFRESH_AHEAD: Final = 0.8
"""The part of its life after which a key set is renewed in passing, before anybody has to wait for it."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 30.0


@frozen(kw_only=True)
class JwksCacheConfig:
    """Seconds."""

    ttl: float = 600
    """How long a key set is used before it is asked for again."""
    cooldown: float = 30
    """How long unknown key ids are refused after one of them caused a refresh."""
    max_stale: float = 86400
    """How long a key set is used while the issuer fails."""


@define
class JwksCache:
    """Keys by their id, fetched when needed: one request in flight at most, and all who need it share it.

    A known key is answered from memory. A key set past its life is renewed first, but while the issuer fails
    nobody with a known key waits. An unknown key causes one refresh a cool-down, counted from that refresh,
    so that a flood of them neither reaches the issuer nor hides a rotation.
    """

    _fetch: Callable[[], Awaitable[Mapping[str, PublicKey]]]
    _times: JwksCacheConfig = field(factory=JwksCacheConfig)
    _monotonic: Callable[[], float] = time.monotonic
    _jitter: Callable[[], float] = random.random
    _on_change: Callable[[int], None] = lambda _: None
    """Told how many keys there are, each time that they are others than before."""
    _keys: Mapping[str, PublicKey] = field(init=False, factory=dict)
    _fetched_at: float = field(init=False, default=float("-inf"))
    _failures: int = field(init=False, default=0)
    _retry_at: float = field(init=False, default=float("-inf"))
    _unknown_allowed_at: float = field(init=False, default=float("-inf"))
    _flight: "asyncio.Task[None] | None" = field(init=False, default=None)

    async def find(self, kid: str) -> PublicKey:
        """The key of that id.

        Raises:
            InvalidToken: there is no such key in the set.
            KeysUnavailable: no usable key set is to be had now.
        """
        age = self._monotonic() - self._fetched_at
        if not self._keys or age >= self._times.max_stale:
            await self._ensure_any()
        elif age >= self._times.ttl:
            if self._failures:
                self._start()
            else:
                await self._refresh()
                self._ensure_not_too_old()
        elif age >= self._times.ttl * REFRESH_AHEAD:
            self._start()
        return self._keys.get(kid) or await self._find_unknown(kid)

    async def ensure_loaded(self) -> None:
        """Raise KeysUnavailable unless some usable keys are here or can be had."""
        if not self._keys or self._monotonic() - self._fetched_at >= self._times.ttl:
            await self._refresh()
        self._ensure_not_too_old()

    async def close(self) -> None:
        """End a fetch that is still in flight."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    async def _find_unknown(self, kid: str) -> PublicKey:
        if self._flight is not None:
            await self._refresh()  # what is under way may bring it
        if kid not in self._keys and self._monotonic() >= max(self._unknown_allowed_at, self._retry_at):
            self._unknown_allowed_at = self._monotonic() + self._times.cooldown
            await self._refresh()
        key = self._keys.get(kid)
        if key is None:
            if self._failures:
                self._unknown_allowed_at = float("-inf")  # the issuer was not heard: the back-off paces us, not this
            raise InvalidToken("The token is signed with a key that is not known here.")
        return key

    async def _ensure_any(self) -> None:
        await self._refresh()
        self._ensure_not_too_old()

    def _ensure_not_too_old(self) -> None:
        now = self._monotonic()
        if not self._keys or now - self._fetched_at >= self._times.max_stale:
            raise KeysUnavailable(retry_after=max(1, ceil(self._retry_at - now)))

    async def _refresh(self) -> None:
        """Wait for the fetch in flight or, where none is and the back-off allows it, for a new one."""
        self._start()
        if self._flight is not None:
            await asyncio.shield(self._flight)  # a waiter that gives up takes nobody else along

    def _start(self) -> None:
        if self._flight is None and self._monotonic() >= self._retry_at:
            self._flight = asyncio.create_task(self._run(), name="fetch key set")

    async def _run(self) -> None:
        try:
            self._take(await self._fetch())
        except JwksFetchError as error:
            self._note_failure(str(error))
        except Exception as error:  # noqa: BLE001  (told in the log; whoever waits must not wait in vain)
            self._note_failure(f"unforeseen: {type(error).__name__}")
        finally:
            self._flight = None

    def _note_failure(self, reason: str) -> None:
        backoff = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures, 10))
        self._failures += 1
        self._retry_at = self._monotonic() + backoff * (1 + self._jitter() / 4)
        logger.warning("key set not fetched", extra={"reason": reason, "failures": self._failures})

    def _take(self, keys: Mapping[str, PublicKey]) -> None:
        now = self._monotonic()
        if keys != self._keys:
            logger.info("key set changed", extra={"kids": sorted(keys)})
            self._on_change(len(keys))
        self._keys, self._fetched_at, self._failures = keys, now, 0
        # An issuer that has no key yet makes one at its first sign-in: ask again, but not at every request.
        self._retry_at = now + FIRST_BACKOFF if not keys else float("-inf")


MAX_WAIT: Final = 2.0
"""Seconds to wait for a fetch in flight: a probe wants an answer, the fetch goes on without it."""


@frozen
class KeysReadiness:
    """Whether there are keys to verify tokens with; asking makes the service try to get some."""

    _keys: JwksCache
    name: str = "keys"

    async def problem(self) -> str | None:
        """See the port."""
        try:
            async with asyncio.timeout(MAX_WAIT):
                await self._keys.ensure_loaded()
        except (KeysUnavailable, TimeoutError):
            return "no usable key from the issuer: check EVO_TODO_JWKS_URL, and that the issuer runs"
        return None
