"""Check whether a token would be accepted now: the verifier decides, `refusals` explains a refusal."""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from attrs import frozen

from adapters.tokens.claims import APPLICATION_CLAIMS, ClaimRules
from adapters.tokens.doctor.malformed import (
    GET_TOKEN,
    UnverifiedToken,
    describe,
    duration,
)
from adapters.tokens.doctor.refusals import RejectedToken, explain
from adapters.tokens.jwks import JwksFetchError, PublicKey
from adapters.tokens.jwks_cache import JwksCache
from adapters.tokens.jwt_verifier import JwtVerifier
from application.health import Finding, quoted
from domain.errors import InvalidToken, KeysUnavailable
from domain.identity import Principal

TOKEN: Final = "token"  # noqa: S105  (a check's name)


@frozen
class _Fetched:
    """The result of a fetch that has been made already."""

    keys: Mapping[str, PublicKey] | None

    async def __call__(self) -> Mapping[str, PublicKey]:
        if self.keys is None:
            raise JwksFetchError("there is no usable key set")
        return self.keys


async def check_token(
    unverified_token: str,
    keys: Mapping[str, PublicKey] | None,
    rules: ClaimRules,
    now: Callable[[], float] = time.time,
) -> Finding:
    """The service's own verdict with these keys (`None`: there is no usable key set), explained."""
    token = UnverifiedToken.parse(unverified_token)
    checked_at = now()
    verifier = JwtVerifier(JwksCache(_Fetched(keys)), rules, lambda: checked_at)
    try:
        principal = await verifier.verify(unverified_token)
    except KeysUnavailable:
        return Finding.skipped(TOKEN, "its form is valid, but there is no usable key set")
    except InvalidToken as error:
        rejected = RejectedToken(token=token, rules=rules, keys=keys or {}, now=checked_at)
        problem, advice = explain(error.reason, rejected)
        return Finding.failed(TOKEN, f"refused: {problem}", advice)
    return _accepted(principal, duration(token.date("exp") + rules.leeway - checked_at), token, rules.scope)


def _accepted(principal: Principal, time_left: str, token: UnverifiedToken, scope: str | None) -> Finding:
    if principal.lacks_scope:
        return _application(token, scope)
    path = f"/api/{quote(principal.user_id, safe='')}/tasks"
    if "/" in principal.user_id:
        return Finding.note(
            TOKEN,
            "accepted, but its `sub` has a slash: no path can contain it, so every path responds with 403",
            "let the jwt plugin's getSubject return an ID without a slash",
        )
    return Finding.ok(
        TOKEN,
        f"accepted for {time_left} more; it opens {path} (403 means: the path's user ID is not this token's `sub`)",
    )


def _application(token: UnverifiedToken, scope: str | None) -> Finding:
    names = ", ".join(f"`{name}`" for name in APPLICATION_CLAIMS if name in token.claims)
    needs = "EVO_TODO_SCOPE is not set" if scope is None else f"EVO_TODO_SCOPE is {quoted(scope)}"
    return Finding.failed(
        TOKEN,
        f"it has {names}, so it was issued to an application, and every path responds with 403: "
        f"{describe(token.claims, 'scope')}, and {needs}",
        f"{GET_TOKEN}, which is a person's own; or set EVO_TODO_SCOPE to the scope that applications get",
    )
