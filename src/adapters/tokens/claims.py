"""Rules for the claims of a verified access token (RFC 7519 §4.1, RFC 8725 §3.8-3.9)."""

import sys
from typing import Any

from attrs import frozen

from domain.errors import InvalidField, InvalidToken
from domain.identity import Principal, SessionId, UserId
from domain.revocation import TokenLifetimes


@frozen(kw_only=True)
class ClaimRules:
    """The issuer, audience and dates that this service accepts.

    Raises:
        ValueError: issuer or audience is empty; an empty rule would check nothing.
    """

    issuer: str
    audience: str
    leeway: float = 30
    """Seconds that the issuer's clock may differ from ours."""
    max_lifetime: float = 7 * 24 * 3600
    """Maximum seconds between `iat` and `exp`."""

    def __attrs_post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ValueError("issuer and audience must be configured")

    @property
    def lifetimes(self) -> TokenLifetimes:
        """How long tokens by these rules are accepted, for those who must know when the last one has expired."""
        return TokenLifetimes(longest=self.max_lifetime, leeway=self.leeway)

    def validate(self, claims: dict[str, Any], *, now: float) -> tuple[Principal, float]:
        """The principal of the claims, and their expiry in seconds since 1970.

        Raises:
            InvalidToken: a claim is missing or breaks its rule.
        """
        if "events" in claims:
            raise InvalidToken("The token is not an access token.")  # a Security Event Token (RFC 8417 §2.2)
        if claims.get("iss") != self.issuer:
            raise InvalidToken("The token is from another issuer.")
        if not self.accepts_audience(claims.get("aud")):
            raise InvalidToken("The token is for another audience.")
        expires_at, issued_at = self._validate_dates(claims, now)
        return self._principal(claims.get("sub"), claims.get("sid"), issued_at), expires_at

    def accepts_audience(self, audience: object) -> bool:
        """Whether an `aud` claim is our audience, or a list of strings that contains it (RFC 7519 §4.1.3)."""
        if isinstance(audience, list):
            return all(isinstance(name, str) for name in audience) and self.audience in audience
        return audience == self.audience

    def ensure_not_expired(self, *, expires_at: float, now: float) -> None:
        """Raise InvalidToken when a token has expired, leeway included."""
        if now >= expires_at + self.leeway:
            raise InvalidToken("The token has expired.")

    def _validate_dates(self, claims: dict[str, Any], now: float) -> tuple[float, float]:
        expires_at, issued_at = numeric_date(claims, "exp"), numeric_date(claims, "iat")
        self.ensure_not_expired(expires_at=expires_at, now=now)
        not_before = numeric_date(claims, "nbf") if "nbf" in claims else issued_at
        if max(issued_at, not_before) > now + self.leeway:
            raise InvalidToken("The token is not valid yet.")
        if expires_at - issued_at > self.max_lifetime:
            raise InvalidToken("The token's lifetime is too long.")
        return expires_at, issued_at

    @staticmethod
    def _principal(subject: object, session: object, issued_at: float) -> Principal:
        if not isinstance(subject, str):
            raise InvalidToken("The token's subject is missing or not a string.")
        # A session that is not a string is as invalid as an empty one: it could not be revoked.
        session_id = session if isinstance(session, str | None) else ""
        try:
            return Principal(UserId(subject), None if session_id is None else SessionId(session_id), issued_at)
        except InvalidField as error:
            if error.field == "session_id":
                raise InvalidToken("The token's session ID is invalid.") from error
            raise InvalidToken("The token's subject is not a valid user ID.") from error


def numeric_date(claims: dict[str, Any], name: str) -> float:
    """A required NumericDate claim (RFC 7519 §2), in seconds since 1970.

    Raises:
        InvalidToken: it is missing or not a finite number.
    """
    value = claims.get(name)
    # bool is a subclass of int, and an int may be too large for a float: neither is a NumericDate.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    raise InvalidToken("The token's dates are missing or not numbers.")
