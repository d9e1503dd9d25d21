"""What is left of a limit, on the wire (draft-ietf-httpapi-ratelimit-headers-10)."""

from typing import Final

from litestar.types import HTTPScope

from domain.rate_limit import RateLimitStatus

_ALLOWANCE: Final = "allowance"


def tell_allowance(scope: HTTPScope, allowance: RateLimitStatus | None) -> None:
    """Have the answer to this request say what is left; `None`: there is no limit."""
    scope["state"][_ALLOWANCE] = allowance


def told_allowance(scope: HTTPScope) -> list[tuple[bytes, bytes]]:
    """The fields of what was told, for whoever dresses the answer."""
    allowance: RateLimitStatus | None = scope["state"].get(_ALLOWANCE)
    if allowance is None:
        return []
    left, policy = _values(allowance)
    return [(b"ratelimit", left.encode()), (b"ratelimit-policy", policy.encode())]


def rate_limit_fields(allowance: RateLimitStatus) -> dict[str, str]:
    """RateLimit-Policy and RateLimit (§3, §4)."""
    left, policy = _values(allowance)
    return {"RateLimit": left, "RateLimit-Policy": policy}


def _values(allowance: RateLimitStatus) -> tuple[str, str]:
    limit = allowance.limit
    return (
        f'"{limit.policy}";r={allowance.remaining};t={allowance.reset_seconds}',
        f'"{limit.policy}";q={limit.amount};w={limit.seconds}',
    )
