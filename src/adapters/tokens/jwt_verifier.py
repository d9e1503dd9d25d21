"""From a bearer token to a principal: form, key, signature, claims, in that order, and each token only once."""

import asyncio
import logging
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol

from attrs import define, field, frozen
from cachetools import LRUCache
from joserfc import jws
from joserfc.errors import BadSignatureError

from adapters.tokens.claims import ClaimRules
from adapters.tokens.eddsa import ED25519
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import MALFORMED, MAX_LENGTH, ParsedJws, decode_json_object, parse_access_token
from adapters.tokens.verification_queue import VerificationQueue
from domain.errors import InvalidToken
from domain.identity import Principal

logger = logging.getLogger(__name__)

CACHE_SIZE: Final = 10_000
"""Tokens that are remembered; each costs some 600 bytes."""


class KeySet(Protocol):
    """Where keys are looked up."""

    async def find(self, kid: str) -> PublicKey:
        """Raise InvalidToken when there is no such key, KeysUnavailable when that can't be told."""


@frozen
class _Verified:
    principal: Principal
    key: PublicKey
    expires_at: float


@define
class JwtVerifier:
    """The port's TokenVerifier for an issuer's JWTs (RFC 7519, RFC 8037, RFC 8725)."""

    _keys: KeySet
    _rules: ClaimRules
    _now: Callable[[], float] = time.time
    _queue: VerificationQueue = field(factory=VerificationQueue)
    """One signature each: it costs a hundred times what a remembered token does, and those pass by whoever waits."""
    _verified: "LRUCache[bytes, _Verified]" = field(init=False, factory=lambda: LRUCache(CACHE_SIZE))
    """By the token's SHA-256, so that what is kept is small, whatever was sent, and no token."""

    async def verify(self, unverified_token: str) -> Principal:
        """See the port. What was verified before is not verified again, but judged for expiry and its key."""
        if len(unverified_token) > MAX_LENGTH:
            raise InvalidToken("The token is too long.")
        fingerprint = sha256(unverified_token.encode("utf-8", "surrogatepass")).digest()
        if (known := self._verified.get(fingerprint)) is None:
            token = parse_access_token(unverified_token)
            key = await self._keys.find(token.kid)
            await self._queue.acquire()
            if (known := self._verified.get(fingerprint)) is None:  # else it came twice, and the other was first
                try:
                    known = self._verified[fingerprint] = self._validate(token, key)
                except InvalidToken:
                    await asyncio.sleep(0)  # what came for known tokens goes first, once more
                    raise
        elif (key := await self._keys.find(known.key.kid)) is not known.key and key != known.key:
            self._verified.pop(fingerprint, None)
            raise InvalidToken("The token's key has been replaced.")
        self._rules.ensure_not_expired(expires_at=known.expires_at, now=self._now())
        return known.principal

    def remembered(self, unverified_token: bytes) -> Principal | None:
        """TEMP."""
        return None

    def _validate(self, token: ParsedJws, key: PublicKey) -> _Verified:
        try:
            jws.deserialize_compact(token.text, key.jose, registry=ED25519)
            claims = decode_json_object(token.payload)
            principal, expires_at = self._rules.validate(claims, now=self._now())
        except InvalidToken:
            raise
        except BadSignatureError as error:
            raise InvalidToken("The token's signature does not match.") from error
        except Exception as error:
            # Whatever a hostile token makes a parser do, it is the token that is wrong (RFC 8725 §3.11 ff.).
            logger.warning("token made a parser fail", extra={"error": type(error).__name__})
            raise InvalidToken(MALFORMED) from error
        return _Verified(principal, key, expires_at)
