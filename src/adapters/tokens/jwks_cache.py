"""The issuer's key set in memory: when it is fetched, which requests wait for it, and how long it is used."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import Final, NoReturn

from attrs import define, field, frozen

from adapters.tokens.jwks import JwksFetchError, PublicKey
from application.background import Backoff
from domain.errors import InvalidToken, KeysUnavailable

logger = logging.getLogger(__name__)

REFRESH_AHEAD: Final = 0.8
"""Fraction of the TTL after which a key set is refreshed in the background, before any request must wait for it."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 30.0
"""Seconds between attempts while the issuer fails, before jitter."""
MAX_UNKNOWN: Final = 1000
"""Unknown key IDs that are remembered, each for whether the issuer was asked; the oldest is forgotten."""
READINESS_TIMEOUT: Final = 2.0
"""Seconds that a readiness probe waits for a fetch in flight."""


@frozen(kw_only=True)
class JwksCacheConfig:
    """Seconds."""

    ttl: float = 600
    """How long a key set is used before it must be refreshed."""
    cooldown: float = 30
    """How long unknown key IDs cause no refresh after one of them did."""
    max_stale: float = 86400
    """How long a key set is used while the issuer fails, counted from its fetch."""


def _backoff() -> Backoff:
    return Backoff(FIRST_BACKOFF, MAX_BACKOFF)


@define
class JwksCache:
    """Keys by their ID, fetched on demand with at most one request in flight, whose result all waiters share.

    A known key comes from memory. A key set past its TTL is refreshed first, but while the issuer fails, no request
    with a known key waits. An unknown key causes one refresh per cooldown, counted from that refresh, so that a flood
    of unknown keys neither reaches the issuer nor hides a key rotation. An unknown key is refused only when the issuer
    has published a key set without it since the key first came up; until then nobody knows whether the token is good.
    """

    _fetch: Callable[[], Awaitable[Mapping[str, PublicKey]]]
    _config: JwksCacheConfig = field(factory=JwksCacheConfig)
    _monotonic: Callable[[], float] = time.monotonic
    _backoff: Backoff = field(factory=_backoff)
    _on_change: Callable[[int], None] = lambda _: None
    """Called with the number of keys after each change of the key set."""
    _keys: Mapping[str, PublicKey] = field(init=False, factory=dict)
    _refresh_age: float = field(init=False)
    """Seconds after a fetch from which on a refresh is due."""
    _fetched_at: float = field(init=False, default=float("-inf"))
    _retry_at: float = field(init=False, default=float("-inf"))
    _unknown_allowed_at: float = field(init=False, default=float("-inf"))
    _unknown: dict[str, bool] = field(init=False, factory=dict)
    """Unknown key IDs that came up, and whether the issuer was asked since, successfully; the newest is last."""
    _fetch_task: "asyncio.Task[None] | None" = field(init=False, default=None)

    @_refresh_age.default
    def _default_refresh_age(self) -> float:
        return min(self._config.ttl * REFRESH_AHEAD, self._config.max_stale)

    @property
    def count(self) -> int:
        """How many keys are known."""
        return len(self._keys)

    @property
    def age(self) -> float:
        """Seconds since the last successful fetch; infinite before the first."""
        return self._monotonic() - self._fetched_at

    def current(self, kid: str) -> PublicKey | None:
        """The key with that ID, without waiting; `None` when it is unknown or a refresh is due: then call `find`."""
        return self._keys.get(kid) if self._monotonic() - self._fetched_at < self._refresh_age else None

    async def find(self, kid: str) -> PublicKey:
        """The key with that ID.

        Raises:
            InvalidToken: there is no such key in the set.
            KeysUnavailable: there is no usable key set now, or none that is newer than the key may be.
        """
        age = self._monotonic() - self._fetched_at
        must_wait = not self._keys or age >= self._config.max_stale
        if must_wait or (age >= self._config.ttl and not self._backoff.failures):
            await self._refresh()
            self._ensure_usable()
        elif age >= self._refresh_age:
            self._start_fetch()
        return self._keys.get(kid) or await self._find_unknown(kid)

    async def ensure_loaded(self) -> None:
        """Raise KeysUnavailable unless there are usable keys in memory or at the issuer."""
        if not self._keys or self._monotonic() - self._fetched_at >= self._config.ttl:
            await self._refresh()
        self._ensure_usable()

    async def close(self) -> None:
        """Cancel a fetch in flight."""
        if self._fetch_task is not None:
            self._fetch_task.cancel()
            await asyncio.gather(self._fetch_task, return_exceptions=True)

    async def _find_unknown(self, kid: str) -> PublicKey:
        self._remember_unknown(kid)
        if self._fetch_task is not None:
            await self._refresh()  # the fetch in flight may bring the key
        if kid not in self._keys and self._monotonic() >= max(self._unknown_allowed_at, self._retry_at):
            self._unknown_allowed_at = self._monotonic() + self._config.cooldown
            await self._refresh()
        key = self._keys.get(kid)
        if key is None:
            if self._backoff.failures:
                self._unknown_allowed_at = float("-inf")  # no response: the backoff paces the next fetch instead
            if self._unknown.get(kid):
                raise InvalidToken("The token is signed with an unknown key.")
            self._raise_unavailable(max(self._unknown_allowed_at, self._retry_at))
        return key

    def _remember_unknown(self, kid: str) -> None:
        if kid not in self._unknown:
            if len(self._unknown) >= MAX_UNKNOWN:
                del self._unknown[next(iter(self._unknown))]
            self._unknown[kid] = False

    def _raise_unavailable(self, until: float) -> NoReturn:
        raise KeysUnavailable(retry_after=max(1, ceil(until - self._monotonic())))

    def _ensure_usable(self) -> None:
        if not self._keys or self._monotonic() - self._fetched_at >= self._config.max_stale:
            self._raise_unavailable(self._retry_at)

    async def _refresh(self) -> None:
        """Wait for the fetch in flight or, if there is none and the backoff allows it, for a new one."""
        self._start_fetch()
        if self._fetch_task is not None:
            await asyncio.shield(self._fetch_task)  # a cancelled waiter does not cancel the others' fetch

    def _start_fetch(self) -> None:
        if self._fetch_task is None and self._monotonic() >= self._retry_at:
            self._fetch_task = asyncio.create_task(self._run_fetch(), name="fetch key set")

    async def _run_fetch(self) -> None:
        came_up_before = [*self._unknown]
        try:
            self._store(await self._fetch())
            self._unknown.update((kid, True) for kid in came_up_before if kid in self._unknown)
        except JwksFetchError as error:
            self._note_failure(str(error))
        except Exception as error:  # noqa: BLE001  (logged; the waiters must be released)
            self._note_failure(f"unexpected: {type(error).__name__}")
        finally:
            self._fetch_task = None

    def _note_failure(self, reason: str) -> None:
        self._retry_at = self._monotonic() + self._backoff.fail()
        logger.warning("key set not fetched", extra={"reason": reason, "failures": self._backoff.failures})

    def _store(self, keys: Mapping[str, PublicKey]) -> None:
        if keys != self._keys:
            logger.info("key set changed", extra={"kids": sorted(keys)})
            self._on_change(len(keys))
        self._unknown.update((kid, True) for kid in self._keys if kid not in keys)  # withdrawn
        self._keys, self._fetched_at = keys, self._monotonic()
        self._backoff.reset()
        # An issuer without keys creates one at its first sign-in: fetch again soon, but not at every request.
        self._retry_at = self._fetched_at + self._backoff.first if not keys else float("-inf")


@frozen
class JwksReadiness:
    """Readiness check: there are keys to verify tokens with. The check itself starts a fetch where one is due."""

    _keys: JwksCache
    _timeout: float = READINESS_TIMEOUT
    """Seconds to wait for a fetch in flight, which goes on after the time-out."""
    name: str = "keys"

    async def problem(self) -> str | None:
        """See the port."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._keys.ensure_loaded()
        except (KeysUnavailable, TimeoutError):
            return "no usable key from the issuer: check EVO_TODO_JWKS_URL, and that the issuer runs"
        return None
