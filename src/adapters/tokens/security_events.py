"""From a Security Event Token to the event it tells of (RFC 8417, RFC 9493; CAEP and RISC for the events)."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from attrs import define, field
from joserfc import jws
from joserfc.errors import BadSignatureError

from adapters.tokens.claims import ClaimRules, numeric_date
from adapters.tokens.eddsa import ED25519
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import MALFORMED, MAX_LENGTH, ParsedJws, decode_json_object, parse_security_event
from adapters.tokens.jwt_verifier import KeySet
from adapters.tokens.verification_queue import VerificationQueue
from domain.errors import InvalidField, InvalidSecurityEvent, InvalidToken
from domain.identity import Principal, SessionId, UserId
from domain.revocation import AccountPurged, SecurityEvent, SessionRevoked

logger = logging.getLogger(__name__)

SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
ACCOUNT_PURGED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-purged"

FRESH: Final = 300
"""Seconds after its signing within which an event is taken; a sender signs anew for each try."""

REQUEST, KEY, AUTHENTICATION = "invalid_request", "invalid_key", "authentication_failed"
ISSUER, AUDIENCE = "invalid_issuer", "invalid_audience"
"""The words of RFC 8935 §2.4."""


@define
class JwtSecurityEventVerifier:
    """The port's SecurityEventVerifier: the issuer's own key signs its events, as it signs its tokens."""

    _keys: KeySet
    _rules: ClaimRules
    _now: Callable[[], float] = time.time
    _queue: VerificationQueue = field(factory=VerificationQueue)
    """Those of the access tokens: a flood of either leaves room for what is known."""

    async def verify(self, unverified_event: str) -> SecurityEvent:
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
        await self._queue.acquire()
        claims = _signed(token, key)
        try:
            return self._event(claims)
        except InvalidToken as error:
            raise InvalidSecurityEvent(REQUEST, error.reason) from error

    def _event(self, claims: dict[str, Any]) -> SecurityEvent:
        if claims.get("iss") != self._rules.issuer:
            raise InvalidSecurityEvent(ISSUER, "The token is from another issuer.")
        if not self._rules.accepts_audience(claims.get("aud")):
            raise InvalidSecurityEvent(AUDIENCE, "The token is for another audience.")
        if not isinstance(claims.get("jti"), str) or not claims["jti"]:
            raise InvalidSecurityEvent(REQUEST, "The token has no id of its own: jti.")
        issued_at = numeric_date(claims, "iat")
        if abs(self._now() - issued_at) > FRESH + self._rules.leeway:
            raise InvalidSecurityEvent(REQUEST, "The token was not signed just now: sign it anew for each try.")
        kind, said = _only_event(claims.get("events"))
        # An event is over when it is told of: a later date would end sessions that are still to come.
        happened_at = min(numeric_date(said, "event_timestamp"), issued_at) if "event_timestamp" in said else issued_at
        return _told(kind, self._subject(claims.get("sub_id")), _instant(happened_at))

    def _subject(self, subject: object) -> Principal:
        """Whom it is about: a user, or a user's session (RFC 9493 §3.2.4, §3.2.8)."""
        match subject:
            case {"format": "iss_sub", "iss": self._rules.issuer, "sub": str(user)}:
                return _named(user, None)
            case {
                "format": "complex",
                "user": {"format": "iss_sub", "iss": self._rules.issuer, "sub": str(user)},
                "session": {"format": "opaque", "id": str(session)},
            }:
                return _named(user, SessionId(session))
        raise InvalidSecurityEvent(
            REQUEST, "The event's subject is none of this issuer's: iss_sub, or complex with user and session."
        )


def _signed(token: ParsedJws, key: PublicKey) -> dict[str, Any]:
    try:
        jws.deserialize_compact(token.text, key.jose, registry=ED25519)
        return decode_json_object(token.payload)
    except BadSignatureError as error:
        raise InvalidSecurityEvent(AUTHENTICATION, "The token's signature does not match.") from error
    except Exception as error:
        # As with access tokens: whatever a parser is made to do, it is the token that is wrong.
        logger.warning("security event made a parser fail", extra={"error": type(error).__name__})
        raise InvalidSecurityEvent(REQUEST, MALFORMED) from error


def _only_event(events: object) -> tuple[str, dict[str, Any]]:
    if isinstance(events, dict) and len(events) == 1:
        [(kind, said)] = events.items()
        if kind in {SESSION_REVOKED, ACCOUNT_PURGED} and isinstance(said, dict):
            return kind, said
    raise InvalidSecurityEvent(REQUEST, "The token tells of no event, of several, or of one that is not known here.")


def _told(kind: str, subject: Principal, at: datetime) -> SecurityEvent:
    if kind == SESSION_REVOKED:
        return SessionRevoked(subject.user_id, subject.session_id, at)
    if subject.session_id is not None:
        raise InvalidSecurityEvent(REQUEST, "An account is a user's, not a session's.")
    return AccountPurged(subject.user_id, at)


def _named(user: str, session: SessionId | None) -> Principal:
    try:
        return Principal(UserId(user), session)
    except InvalidField as error:
        raise InvalidSecurityEvent(REQUEST, "The event's subject is not one we can take.") from error


def _instant(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidSecurityEvent(REQUEST, "The event's date is out of range.") from error
