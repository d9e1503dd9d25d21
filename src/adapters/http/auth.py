"""Who asks: decided before the router looks at the path or anybody at the body."""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from adapters.http.context import origin_of
from adapters.http.injection import UseCases, principal_of
from adapters.http.problems import NoCredentials
from adapters.http.rate_limits import tell_allowance
from adapters.http.request import HTTP, lines_of
from domain.errors import AccessDenied, InvalidToken
from domain.identity import Principal, UserId

PUBLIC_PATHS: Final = frozenset(
    {"", "/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/api/security-events"}
)
"""Everything else needs a token, known to the router or not."""

_BEARER = re.compile(r"bearer +([^\s]+)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!bearer\b)[!#$%&'*+.^_`|~0-9a-z-]+( .*)?", re.IGNORECASE)


@frozen
class Authentication:
    """ASGI middleware that puts the principal into `scope["state"]`.

    It stands before Litestar's router, which would tell a stranger 404 from 405.
    """

    app: ASGIApp
    use_cases: UseCases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass what is public or brings a token that the verifier takes, and is not one request too many.

        Raises what `_principal` does; the edge answers it.
        """
        if scope["type"] == HTTP and scope["path"].rstrip("/") not in PUBLIC_PATHS:
            scope["state"]["principal"] = await self._principal(scope)
        await self.app(scope, receive, send)

    async def _principal(self, scope: HTTPScope) -> Principal:
        """Who asks. What can't be judged is counted against nobody.

        Raises:
            NoCredentials, InvalidToken: nobody does, and their address may still be told so.
            TooManyRequests: the user's limit is used up or, without a valid token, the address's.
            Unavailable: that can't be told now.
        """
        origin = origin_of(scope)
        enforce_rate_limits = self.use_cases.enforce_rate_limits
        try:
            principal = await self.use_cases.authenticate(bearer_token(lines_of(scope, b"authorization")), origin)
        except (NoCredentials, InvalidToken):
            tell_allowance(scope, await enforce_rate_limits.for_address(origin))
            raise
        tell_allowance(scope, await enforce_rate_limits.for_user(principal, origin))
        return principal


def bearer_token(values: Sequence[bytes]) -> str:
    """The token in the one Authorization header, whose lines these are (RFC 6750 §2.1, RFC 9110 §11.6.2).

    Raises:
        NoCredentials: there is no such header, or it is of another scheme.
        InvalidToken: there are several, or it holds no token.
    """
    if not values:
        raise NoCredentials
    if len(values) > 1:
        raise InvalidToken("There is more than one Authorization header.")
    value = values[0].decode("latin-1")
    # How nearly everybody writes it, at a fifth of what the expressions below cost.
    if value.startswith("Bearer ") and value.split() == ["Bearer", token := value[len("Bearer ") :]]:
        return token
    value = value.strip(" \t")
    if _OTHER_SCHEME.fullmatch(value):
        raise NoCredentials
    found = _BEARER.fullmatch(value)
    if found is None:
        raise InvalidToken("The Authorization header is malformed: send Bearer, a space, and the token.")
    return found.group(1)


DENIED: Final = "/api/{user_id}"
"""The route of what was denied: what comes behind it was not looked at."""


@frozen
class Authorization:
    """ASGI middleware that lets nobody pass to another's path; the use cases ask again.

    It goes by the same decoded path that the router takes apart, never by the URL.
    """

    app: ASGIApp
    use_cases: UseCases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass what is nobody's, or the principal's own; raise AccessDenied, which the edge answers."""
        if scope["type"] == HTTP and "principal" in scope["state"]:
            self._ensure_own(scope)
        await self.app(scope, receive, send)

    def _ensure_own(self, scope: HTTPScope) -> None:
        api, owner, *_ = [*filter(None, scope["path"].split("/")), "", ""]
        if api == "api" and owner:
            try:
                self.use_cases.authorize(principal_of(scope), UserId(owner), origin_of(scope))
            except AccessDenied:
                scope["path_template"] = DENIED  # for the log and the metrics; the router never sees this
                raise
