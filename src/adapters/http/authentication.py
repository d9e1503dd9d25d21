"""Who asks: decided before the router looks at the path or anybody at the body."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from attrs import frozen
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from adapters.http.problem_answers import problem_message
from adapters.http.problems import NoCredentials
from application.authentication import Authenticate
from domain.audit import RequestOrigin
from domain.errors import InvalidToken, KeysUnavailable, RevocationsUnavailable

PUBLIC_PATHS: Final = frozenset({"", "/health", "/livez", "/readyz", "/docs", "/openapi.json", "/api/security-events"})
"""Everything else needs a token, known to the router or not."""

_BEARER = re.compile(r"bearer +([^\s]+)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!bearer\b)[!#$%&'*+.^_`|~0-9a-z-]+( .*)?", re.IGNORECASE)


@frozen
class Authentication:
    """ASGI middleware that puts the principal into `scope["state"]`, or answers 401 or 503 itself.

    It stands before Litestar's router, which would tell a stranger 404 from 405.
    """

    app: ASGIApp
    authenticate: Callable[[], Awaitable[Authenticate]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass what is public or brings a token that the verifier takes."""
        if scope["type"] != ScopeType.HTTP or scope["path"].rstrip("/") in PUBLIC_PATHS:
            await self.app(scope, receive, send)
            return
        try:
            authenticate = await self.authenticate()
            token = bearer_token(scope["headers"])
            scope["state"]["principal"] = await authenticate(token, request_origin(scope))
        except (NoCredentials, InvalidToken, KeysUnavailable, RevocationsUnavailable) as error:
            status, headers, body = problem_message(error, scope)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        await self.app(scope, receive, send)


def request_origin(scope: Scope) -> RequestOrigin:
    """Which request this is, and from where."""
    client = scope["client"]
    return RequestOrigin(scope["state"]["request_id"], client[0] if client else None)


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token in the one Authorization header (RFC 6750 §2.1, RFC 9110 §11.6.2).

    Raises:
        NoCredentials: there is no such header, or it is of another scheme.
        InvalidToken: there are several, or it holds no token.
    """
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        raise NoCredentials
    if len(values) > 1:
        raise InvalidToken("There is more than one Authorization header.")
    value = values[0].decode("latin-1").strip(" \t")
    if _OTHER_SCHEME.fullmatch(value):
        raise NoCredentials
    found = _BEARER.fullmatch(value)
    if found is None:
        raise InvalidToken("The Authorization header is malformed: send Bearer, a space, and the token.")
    return found.group(1)
