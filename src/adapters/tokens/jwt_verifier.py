"""From a bearer token to a principal: form, key, signature, claims, in that order; then the result is cached."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol

from attrs import define, field, frozen
from cachetools import LRUCache

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import MAX_LENGTH, ParsedJws, parse_access_token, verify_signature
from adapters.tokens.verification_queue import VerificationQueue
from application.ports import Client
from domain.errors import InvalidToken
from domain.identity import Principal

CACHE_SIZE: Final = 10_000
"""Verified tokens; each takes some 600 bytes."""


class KeySet(Protocol):
    """The issuer's public keys."""

    def current(self, kid: str) -> PublicKey | None:
        """The key in memory, without waiting; `None` when it is unknown or a refresh is due."""

    async def find(self, kid: str) -> PublicKey:
        """Raise InvalidToken when there is no such key, KeysUnavailable when the keys can't be fetched now."""


@frozen
class Unlimited:
    """A client without a limit: where tokens don't come over the network."""

    identity: str = ""

    def ensure_within_limit(self) -> None:
        """It is."""


@frozen
class _Verified:
    principal: Principal
    key: PublicKey
    expires_at: float


_NOBODY: Final = Unlimited()


@define
class JwtVerifier:
    """The port's TokenVerifier for an issuer's JWTs (RFC 7519, RFC 8037, RFC 8725)."""

    _keys: KeySet
    _rules: ClaimRules
    _now: Callable[[], float] = time.time
    _queue: VerificationQueue = field(factory=VerificationQueue)
    """One signature at a time: it costs a hundred times what a cached token does, and those do not queue."""
    _cache_size: int = CACHE_SIZE
    _cache: "LRUCache[bytes, _Verified]" = field(init=False)
    """By the token's SHA-256: entries stay small, and no token is kept."""

    @_cache.default
    def _empty_cache(self) -> "LRUCache[bytes, _Verified]":
        return LRUCache(self._cache_size)

    @property
    def waiting(self) -> int:
        """New tokens that wait for verification."""
        return self._queue.waiting

    def remembered(self, unverified_token: bytes) -> Principal | None:
        """See the port. The cached result holds while the key set is fresh and has the token's key."""
        if len(unverified_token) > MAX_LENGTH:
            return None
        try:
            verified = self._cache[sha256(unverified_token).digest()]
        except KeyError:
            return None
        key = self._keys.current(verified.key.kid)
        if key is not verified.key and key != verified.key:  # a refreshed key set has equal keys, not the same ones
            return None
        self._rules.ensure_not_expired(expires_at=verified.expires_at, now=self._now())
        return verified.principal

    async def verify(self, unverified_token: str, client: Client = _NOBODY) -> Principal:
        """See the port. A cached token is not verified again, but its expiry and its key are checked."""
        if len(unverified_token) > MAX_LENGTH:
            raise InvalidToken("The token is too long.")
        digest = sha256(unverified_token.encode("utf-8", "surrogatepass")).digest()
        if (verified := self._cache.get(digest)) is None:
            verified = await self._verify_new(unverified_token, digest, client)
        elif (key := await self._keys.find(verified.key.kid)) is not verified.key and key != verified.key:
            self._cache.pop(digest, None)
            raise InvalidToken("The token's key has been replaced.")
        self._rules.ensure_not_expired(expires_at=verified.expires_at, now=self._now())
        return verified.principal

    async def _verify_new(self, unverified_token: str, digest: bytes, client: Client) -> _Verified:
        client.ensure_within_limit()
        token = parse_access_token(unverified_token)
        key = await self._keys.find(token.kid)

        def check() -> _Verified:
            client.ensure_within_limit()  # others of its tokens may have been refused while this one waited
            if (verified := self._cache.get(digest)) is None:  # else a concurrent request has verified the same token
                verified = self._cache[digest] = self._validate(token, key)
            return verified

        return await self._queue.run(check, client.identity)

    def _validate(self, token: ParsedJws, key: PublicKey) -> _Verified:
        principal, expires_at = verify_signature(
            token, key.jose, lambda claims: self._rules.validate(claims, now=self._now())
        )
        return _Verified(principal, key, expires_at)
