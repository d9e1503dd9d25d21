"""Who asks, how often they may, and whose list the path names: decided before the router sees the request."""

import re
from collections.abc import Sequence
from typing import Final

from adapters.http.context import RequestContext
from adapters.http.problems import NoCredentials
from adapters.http.routing import Services
from domain.errors import AccessDenied, InvalidToken, KeysUnavailable, TooManyRequests, Unavailable
from domain.identity import Principal, UserId
from domain.rate_limit import RateLimitStatus

PUBLIC_PATHS: Final = frozenset(
    {"", "/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/api/security-events"}
)
"""Every other path needs a token, whether or not the router knows it: else it would tell a stranger 404 from 405."""

DENIED_ROUTE: Final = "/api/{user_id}"
"""The route of a request that was denied: the rest of its path was not looked at."""

_BEARER = re.compile(r"bearer +([^\s]+)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!bearer\b)[!#$%&'*+.^_`|~0-9a-z-]+( .*)?", re.IGNORECASE)


def needs_token(context: RequestContext) -> bool:
    """Whether the path is one that only a person's token opens."""
    return context.path.rstrip("/") not in PUBLIC_PATHS


def bearer_token(values: Sequence[bytes]) -> str:
    """The token in the Authorization header, given its lines (RFC 6750 §2.1, RFC 9110 §11.6.2).

    Raises:
        NoCredentials: the header is absent, or of another scheme.
        InvalidToken: there are several, or it holds no token.
    """
    if not values:
        raise NoCredentials
    if len(values) > 1:
        raise InvalidToken("There is more than one Authorization header.")
    value = values[0].decode("latin-1")
    # The usual form, at a fifth of the cost of the expressions below.
    if value.startswith("Bearer ") and value.split() == ["Bearer", token := value[len("Bearer ") :]]:
        return token
    value = value.strip(" \t")
    if _OTHER_SCHEME.fullmatch(value):
        raise NoCredentials
    found = _BEARER.fullmatch(value)
    if found is None:
        raise InvalidToken("The Authorization header is malformed: send Bearer, a space, and the token.")
    return found.group(1)


async def authenticate(services: Services, context: RequestContext) -> Principal:
    """The principal that the request's token speaks for; waits only for a token that was not verified before.

    Raises:
        NoCredentials, InvalidToken: there is none; the request counts against its address.
        TooManyRequests: the address has used up its limit; a token that was verified before works nevertheless.
        Unavailable: the token can't be verified now; counts against its address when the keys are missing.
    """
    try:
        token = bearer_token(context.headers.getlist(b"authorization"))
        return services.authenticate.remembered(token.encode(), context.audit) or await services.authenticate(
            token, context.audit, services.enforce_rate_limits.client(context.audit)
        )
    except (NoCredentials, InvalidToken, TooManyRequests, Unavailable) as error:
        await services.refusal_pacing.wait()
        if isinstance(error, NoCredentials | InvalidToken | KeysUnavailable):
            await count_refusal(services, context)
        raise


async def count_refusal(services: Services, context: RequestContext) -> None:
    """Count a request without a valid token against its address.

    Raises:
        TooManyRequests: the address has used up its limit.
    """
    context.rate_limit = await services.enforce_rate_limits.for_address(context.audit)


async def enforce_user_limit(services: Services, context: RequestContext) -> RateLimitStatus | None:
    """Count a request of the authenticated user; waits only for counters outside this process.

    Raises:
        TooManyRequests: the user has used up the limit.
    """
    limits = services.enforce_rate_limits
    try:
        if limits.is_local:
            return limits.for_user_now(context.principal, context.audit)
        return await limits.for_user(context.principal, context.audit)
    except TooManyRequests:
        await services.refusal_pacing.wait()
        raise


def ensure_scope(services: Services, context: RequestContext) -> None:
    """Refuse a token that an application has, unless it is for this service; whatever the path.

    Raises:
        InsufficientScope: it was issued to an application without the scope of the settings.
    """
    services.authorize.ensure_scope(context.principal, context.audit)


def ensure_owner(services: Services, context: RequestContext, segments: Sequence[str]) -> None:
    """Refuse a path that names another user than the token; the use cases check again.

    The segments are those of the decoded path, as the router splits it, never of the URL.

    Raises:
        AccessDenied: the list is another user's, whether or not it exists.
    """
    if len(segments) > 1 and segments[0] == "api":
        try:
            services.authorize(context.principal, UserId(segments[1]), context.audit)
        except AccessDenied:
            context.route = DENIED_ROUTE
            raise
