"""Rules for the claims of a verified access token (RFC 7519 §4.1, RFC 8725 §3.8-3.9)."""

import sys
from typing import Any, Final

from attrs import frozen

from domain.errors import InvalidField, InvalidToken
from domain.identity import Principal, SessionId, UserId
from domain.revocation import TokenLifetimes

APPLICATION_CLAIMS: Final = ("client_id", "azp", "scope")
"""A token with any of these, whatever its value, was issued to an application (RFC 9068 §2.2)."""


@frozen(kw_only=True)
class ClaimRules:
    """The issuer, audience, dates and scope that this service accepts.

    Raises:
        ValueError: issuer or audience is empty; an empty rule would check nothing.
    """

    issuer: str
    audience: str
    leeway: float = 30
    """Seconds that the issuer's clock may differ from ours."""
    max_lifetime: float = 7 * 24 * 3600
    """Maximum seconds between `iat` and `exp`."""
    scope: str | None = None
    """The scope that a token issued to an application must have; `None`: no such token opens this service."""

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
        if "cnf" in claims:
            raise InvalidToken("The token is bound to a key.")  # RFC 7800: nothing here checks who holds that key
        if not self.accepts_audience(claims.get("aud")):
            raise InvalidToken("The token is for another audience.")
        expires_at, issued_at = self._validate_dates(claims, now)
        return self._principal(claims, issued_at, expires_at), expires_at

    def lacks_scope(self, claims: dict[str, Any]) -> bool:
        """Whether the token was issued to an application, and not for this service's scope.

        `scope` is a string of names separated by spaces (RFC 8693 §4.2); any other value contains none. A service
        without a scope of its own accepts no such token.
        """
        if not any(name in claims for name in APPLICATION_CLAIMS):
            return False
        scope = claims.get("scope")
        return not isinstance(scope, str) or self.scope not in scope.split(" ")

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

    def _principal(self, claims: dict[str, Any], issued_at: float, expires_at: float) -> Principal:
        subject, session = claims.get("sub"), claims.get("sid")
        if not isinstance(subject, str):
            raise InvalidToken("The token's subject is missing or not a string.")
        # A session that is not a string is as invalid as an empty one: it could not be revoked.
        session_id = session if isinstance(session, str | None) else ""
        try:
            known_session = None if session_id is None else SessionId(session_id)
            return Principal(UserId(subject), known_session, issued_at, self.lacks_scope(claims), expires_at)
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
