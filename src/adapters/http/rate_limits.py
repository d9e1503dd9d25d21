"""What is left of a limit, on the wire (draft-ietf-httpapi-ratelimit-headers-10)."""

from typing import Final

from litestar.types import HTTPScope

from domain.rate_limit import Allowance

_ALLOWANCE: Final = "allowance"


def tell_allowance(scope: HTTPScope, allowance: Allowance | None) -> None:
    """Have the answer to this request say what is left; `None`: there is no limit."""
    scope["state"][_ALLOWANCE] = allowance


def told_allowance(scope: HTTPScope) -> list[tuple[bytes, bytes]]:
    """The fields of what was told, for whoever dresses the answer."""
    allowance: Allowance | None = scope["state"].get(_ALLOWANCE)
    if allowance is None:
        return []
    left, policy = _values(allowance)
    return [(b"ratelimit", left.encode()), (b"ratelimit-policy", policy.encode())]


def rate_limit_fields(allowance: Allowance) -> dict[str, str]:
    """RateLimit-Policy and RateLimit (§3, §4)."""
    left, policy = _values(allowance)
    return {"RateLimit": left, "RateLimit-Policy": policy}


def _values(allowance: Allowance) -> tuple[str, str]:
    limit = allowance.limit
    return (
        f'"{limit.policy}";r={allowance.remaining};t={allowance.reset_seconds}',
        f'"{limit.policy}";q={limit.amount};w={limit.seconds}',
    )
