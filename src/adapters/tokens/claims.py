"""What a verified token says, judged (RFC 7519 §4.1, RFC 8725 §3.8-3.9)."""

import sys
from typing import Any

from attrs import frozen

from domain.errors import InvalidField, InvalidToken
from domain.identity import Principal, SessionId, UserId


@frozen(kw_only=True)
class ClaimRules:
    """What this service takes: from whom, for whom, and for how long.

    Raises:
        ValueError: issuer or audience is empty; a rule without a value would be no rule.
    """

    issuer: str
    audience: str
    leeway: float = 30
    """Seconds that the issuer's clock may differ from ours."""
    max_lifetime: float = 7 * 24 * 3600
    """Seconds between `iat` and `exp` at most."""

    def __attrs_post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ValueError("issuer and audience must be configured")

    def ensure_not_expired(self, *, expires_at: float, now: float) -> None:
        """Raise InvalidToken once a token has expired."""
        if now >= expires_at + self.leeway:
            raise InvalidToken("The token has expired.")

    def validate(self, claims: dict[str, Any], *, now: float) -> tuple[Principal, float]:
        """Who the claims speak for, and until when (seconds since 1970).

        Raises:
            InvalidToken: a claim is missing or breaks its rule.
        """
        if "events" in claims:
            raise InvalidToken("The token is not an access token.")  # but a Security Event Token (RFC 8417 §2.2)
        if claims.get("iss") != self.issuer:
            raise InvalidToken("The token is from another issuer.")
        if not self.accepts_audience(claims.get("aud")):
            raise InvalidToken("The token is for another audience.")
        expires_at, issued_at = self._validate_dates(claims, now)
        return self._principal(claims.get("sub"), claims.get("sid"), issued_at), expires_at

    def accepts_audience(self, audience: object) -> bool:
        """Whether an `aud` holds ours (RFC 7519 §4.1.3)."""
        if isinstance(audience, list):
            return all(isinstance(one, str) for one in audience) and self.audience in audience
        return audience == self.audience

    def _validate_dates(self, claims: dict[str, Any], now: float) -> tuple[float, float]:
        expires_at, issued_at = numeric_date(claims, "exp"), numeric_date(claims, "iat")
        self.ensure_not_expired(expires_at=expires_at, now=now)
        not_before = numeric_date(claims, "nbf") if "nbf" in claims else issued_at
        if max(issued_at, not_before) > now + self.leeway:
            raise InvalidToken("The token is not valid yet.")
        if expires_at - issued_at > self.max_lifetime:
            raise InvalidToken("The token lives too long.")
        return expires_at, issued_at

    @staticmethod
    def _principal(subject: object, session: object, issued_at: float) -> Principal:
        if not isinstance(subject, str):
            raise InvalidToken("The token names no subject.")
        # What is no text is as bad as an empty one: it could not be revoked.
        session_id = session if isinstance(session, str | None) else ""
        try:
            return Principal(UserId(subject), None if session_id is None else SessionId(session_id), issued_at)
        except InvalidField as error:
            if error.field == "session_id":
                raise InvalidToken("The token's session is not one we can take.") from error
            raise InvalidToken("The token's subject is not one we can take.") from error


def numeric_date(claims: dict[str, Any], name: str) -> float:
    """A claim that must be a numeric_date (RFC 7519 §2, NumericDate), in seconds since 1970.

    Raises:
        InvalidToken: it is not there or no finite number.
    """
    value = claims.get(name)
    # bool is a kind of int to Python, and an int may be too large for a float: neither is a numeric_date.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    raise InvalidToken("The token's dates are missing or no numbers.")
