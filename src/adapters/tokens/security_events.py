"""From a Security Event Token to a domain event (RFC 8417, RFC 9493; event types of CAEP and RISC)."""

import math
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from attrs import Factory, define, field

from adapters.tokens.claims import ClaimRules, numeric_date
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import MAX_LENGTH, SIGNATURE_MISMATCH, ParsedJws, parse_security_event, verify_signature
from adapters.tokens.jwt_verifier import KeySet
from adapters.tokens.verification_queue import VerificationQueue
from domain.errors import InvalidField, InvalidSecurityEvent, InvalidToken
from domain.identity import Principal, SessionId, UserId
from domain.revocation import AccountPurged, SecurityEvent, SessionRevoked, TokenLifetimes

SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
ACCOUNT_PURGED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-purged"

LIFETIME_MEMBER: Final = "token_lifetime"
"""Our own member of `session-revoked`: the longest lifetime of the tokens concerned, in seconds."""

REQUEST, KEY, AUTHENTICATION = "invalid_request", "invalid_key", "authentication_failed"
ISSUER, AUDIENCE = "invalid_issuer", "invalid_audience"
"""Error codes of RFC 8935 §2.4."""


@define
class JwtSecurityEventVerifier:
    """The port's SecurityEventVerifier: the issuer signs its events with the same keys as its tokens."""

    _keys: KeySet
    _rules: ClaimRules
    _now: Callable[[], float] = time.time
    _queue: VerificationQueue = field(factory=VerificationQueue)
    """Of security events alone: they never wait behind access tokens, and clients take turns."""
    _lifetimes: TokenLifetimes = field(default=Factory(lambda self: self._rules.lifetimes, takes_self=True))

    async def verify(self, unverified_event: str, client: str = "") -> SecurityEvent:
        """See the port."""
        if len(unverified_event) > MAX_LENGTH:
            raise InvalidSecurityEvent(REQUEST, "The token is too long.")
        try:
            token = parse_security_event(unverified_event)
        except InvalidToken as error:
            raise InvalidSecurityEvent(REQUEST, error.reason) from error
        try:
            key = await self._keys.find(token.kid)
        except InvalidToken as error:
            raise InvalidSecurityEvent(KEY, error.reason) from error
        return await self._queue.run(lambda: self._validate(token, key), client)

    def _validate(self, token: ParsedJws, key: PublicKey) -> SecurityEvent:
        try:
            return verify_signature(token, key.jose, self._to_event)
        except InvalidToken as error:
            code = AUTHENTICATION if error.reason == SIGNATURE_MISMATCH else REQUEST
            raise InvalidSecurityEvent(code, error.reason) from error

    def _to_event(self, claims: dict[str, Any]) -> SecurityEvent:
        if claims.get("iss") != self._rules.issuer:
            raise InvalidSecurityEvent(ISSUER, "The token is from another issuer.")
        if not self._rules.accepts_audience(claims.get("aud")):
            raise InvalidSecurityEvent(AUDIENCE, "The token is for another audience.")
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            raise InvalidSecurityEvent(REQUEST, "The token has no ID (jti).")
        issued_at = numeric_date(claims, "iat")
        if abs(self._now() - issued_at) > self._lifetimes.event_tolerance:
            raise InvalidSecurityEvent(REQUEST, "The token was not signed recently: sign a new one for each attempt.")
        event_type, details = _only_event(claims.get("events"))
        happened_at = issued_at
        if "event_timestamp" in details:
            # A later date than the signing would revoke sessions that begin after it.
            happened_at = min(numeric_date(details, "event_timestamp"), issued_at)
        subject, at = self._subject(claims.get("sub_id")), _to_datetime(happened_at)
        if event_type == SESSION_REVOKED:
            return SessionRevoked(subject.user_id, subject.session_id, at, _token_lifetime(details))
        return _account_purged(subject, at)

    def _subject(self, subject: object) -> Principal:
        """The subject of the event: a user, or a user's session (RFC 9493 §3.2.4, §3.2.8)."""
        match subject:
            case {"format": "iss_sub", "iss": self._rules.issuer, "sub": str(user)}:
                return _principal(user, None)
            case {
                "format": "complex",
                "user": {"format": "iss_sub", "iss": self._rules.issuer, "sub": str(user)},
                "session": {"format": "opaque", "id": str(session)},
            }:
                return _principal(user, SessionId(session))
        raise InvalidSecurityEvent(
            REQUEST, "The event's subject must be of this issuer: iss_sub, or complex with user and session."
        )


def _only_event(events: object) -> tuple[str, dict[str, Any]]:
    if isinstance(events, dict) and len(events) == 1:
        [(event_type, details)] = events.items()
        if event_type in {SESSION_REVOKED, ACCOUNT_PURGED} and isinstance(details, dict):
            return event_type, details
    raise InvalidSecurityEvent(REQUEST, "The token must have exactly one event, of a known type.")


def _token_lifetime(details: dict[str, Any]) -> float | None:
    """The longest lifetime of the tokens concerned, if the issuer states it; to be limited when the event is stored."""
    if LIFETIME_MEMBER not in details:
        return None
    lifetime = details[LIFETIME_MEMBER]
    # bool is a subclass of int.
    if isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and 0 < lifetime < math.inf:
        return float(min(lifetime, sys.float_info.max))
    raise InvalidSecurityEvent(REQUEST, f"The event's {LIFETIME_MEMBER} must be a positive number of seconds.")


def _account_purged(subject: Principal, at: datetime) -> AccountPurged:
    if subject.session_id is not None:
        raise InvalidSecurityEvent(REQUEST, "The subject of account-purged must be a user, not a session.")
    return AccountPurged(subject.user_id, at)


def _principal(user: str, session: SessionId | None) -> Principal:
    try:
        return Principal(UserId(user), session)
    except InvalidField as error:
        raise InvalidSecurityEvent(REQUEST, "The event's subject is not a valid user ID or session ID.") from error


def _to_datetime(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidSecurityEvent(REQUEST, "The event's date is out of range.") from error
