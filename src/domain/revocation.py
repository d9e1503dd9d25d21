"""Revocation of tokens before they expire: the events that cause it, and the set that requests are checked against."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from attrs import Factory, define, field, frozen

from domain.identity import Principal, SessionId, UserId

REVOKED: Final = "The token has been revoked."
"""Why a revoked token is invalid, wherever that is noticed."""
TOKEN_REVOKED: Final = "token-revoked"  # noqa: S105  (no password)
"""The same in a word: why a stream ends."""

EVENT_FRESHNESS: Final = 300.0
"""Seconds after its signing during which a security event is accepted; a sender signs a new one for each attempt."""

TRUNCATION: Final = 2.0
"""Seconds by which a token can end later than its lifetime says, because dates are truncated to whole seconds: `exp`
minus `iat` by one, `iat` against the event's `iat` by another.
"""


@frozen(kw_only=True)
class TokenLifetimes:
    """How long tokens and security events are accepted, in seconds, and so how long a revocation is kept.

    Every tolerance of the issuer's clock is here, so that none can outlast another.
    """

    longest: float = 7 * 24 * 3600
    """Maximum seconds between a token's `iat` and `exp`."""
    leeway: float = 30
    """Seconds that the issuer's clock may differ from ours when a token is checked."""
    freshness: float = EVENT_FRESHNESS
    """See EVENT_FRESHNESS."""

    @property
    def event_tolerance(self) -> float:
        """Largest difference between an accepted event's `iat` and our clock, in either direction."""
        return self.freshness + self.leeway

    def retention(self, token_lifetime: float | None = None) -> timedelta:
        """How long after its acceptance a revocation is kept: until no token that it concerns is accepted.

        The issuer signed these tokens before the event, whose `iat` is at most `event_tolerance` ahead of our clock;
        each is accepted for its lifetime and the leeway. `token_lifetime` is the longest lifetime of these tokens as
        the issuer states it, and `longest` without it. The longest lifetime among the tokens seen so far would be
        unsafe: a token that has not been seen yet may live longer.
        """
        lifetime = self.longest if token_lifetime is None else min(token_lifetime, self.longest)
        return timedelta(seconds=self.event_tolerance + lifetime + self.leeway + TRUNCATION)


@frozen
class SessionRevoked:
    """A session, or all sessions of a user, ended."""

    user_id: UserId
    session_id: SessionId | None
    """`None`: every session up to `at`."""
    at: datetime
    token_lifetime: float | None = None
    """The longest lifetime of the tokens that it concerns, in seconds; `None`: unknown."""


@frozen
class AccountPurged:
    """An account was deleted; its data must be deleted too."""

    user_id: UserId
    at: datetime


SecurityEvent = SessionRevoked | AccountPurged


@frozen
class Revocation:
    """Revokes one session, or all tokens of a user issued up to an instant."""

    user_id: UserId
    session_id: SessionId | None
    """`None`: every session."""
    revoked_at: datetime
    expires_at: datetime
    """When the last token that this can match has expired."""

    def matches(self, principal: Principal) -> bool:
        """Whether this revokes the principal's token.

        A session's revocation matches all of its tokens. A user's revocation matches the tokens issued up to
        `revoked_at`, those of the same second included.
        """
        if principal.user_id != self.user_id:
            return False
        if self.session_id is not None:
            return principal.session_id == self.session_id
        return principal.was_issued_by(self.revoked_at)


def _key(user_id: UserId, session_id: SessionId | None) -> bytes:
    """A digest of 128 bits, which no two sessions or users share in practice; an ID contains no NUL."""
    name = user_id if session_id is None else f"{user_id}\0{session_id}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_remembered_key = lru_cache(maxsize=20_000)(_key)
"""For the users of the moment: hashing takes longer than all the rest of a check."""

_EXPIRY_BITS: Final = 40
_EXPIRY_MASK: Final = (1 << _EXPIRY_BITS) - 1


@define
class RevocationSet:
    """The revocations that have not expired: some 150 bytes each, whatever the length of the ids.

    Each is a digest in a dictionary, with one integer: the instant of a user's revocation, and below it, in the lowest
    `_EXPIRY_BITS`, the expiry, both in whole seconds. There are 256 dictionaries, by the digest's first byte, because
    a dictionary that grows is copied at once: a single one of millions would hold up the event loop.
    """

    _parts: list[dict[bytes, int]] = field(init=False, default=Factory(lambda: [{} for _ in range(256)]))

    def add(self, revocation: Revocation) -> None:
        """Add a revocation. Of several for the same session, or the same user, the later of each date is kept."""
        self.add_fields(
            revocation.user_id,
            revocation.session_id,
            math.floor(revocation.revoked_at.timestamp()),
            math.ceil(revocation.expires_at.timestamp()),
        )

    def add_fields(self, user_id: UserId, session_id: SessionId | None, revoked_at: int, expires_at: int) -> None:
        """The same, with dates in whole seconds since 1970, the expiry rounded up: for millions of them."""
        key = _key(user_id, session_id)
        if session_id is not None:
            revoked_at = 0  # it matches at any time, and the integer takes less memory
        part = self._parts[key[0]]
        if (known := part.get(key)) is not None:
            expires_at, revoked_at = max(expires_at, known & _EXPIRY_MASK), max(revoked_at, known >> _EXPIRY_BITS)
        part[key] = revoked_at << _EXPIRY_BITS | expires_at

    def matches(self, principal: Principal) -> bool:
        """Whether any revocation in the set revokes the principal's token; see Revocation."""
        user_id, session_id = principal.user_id, principal.session_id
        if session_id is not None:
            key = _remembered_key(user_id, session_id)
            if key in self._parts[key[0]]:
                return True
        key = _remembered_key(user_id, None)
        known = self._parts[key[0]].get(key)
        return known is not None and math.floor(principal.issued_at) <= known >> _EXPIRY_BITS

    def purge_expired(self, now: datetime) -> Iterator[None]:
        """Remove the revocations that no unexpired token can match, a part at each step of the iterator."""
        instant = math.floor(now.timestamp())
        for number, part in enumerate(self._parts):
            kept = {key: known for key, known in part.items() if known & _EXPIRY_MASK > instant}
            if len(kept) < len(part):
                self._parts[number] = kept  # a dictionary does not give memory back when entries are deleted
            yield

    def __len__(self) -> int:
        return sum(map(len, self._parts))
