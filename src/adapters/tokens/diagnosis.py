"""Would this token be accepted now? The verifier says whether, this says why not."""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from attrs import frozen

from adapters.tokens.claims import ClaimRules
from adapters.tokens.keys import PublicKey
from adapters.tokens.reasons import explain
from adapters.tokens.remote_keys import KeySetNotFetched, RemoteKeySet
from adapters.tokens.unverified import Case, Unverified, seconds
from adapters.tokens.verifier import JwtVerifier
from application.diagnosis import Finding
from domain.errors import InvalidToken, KeysUnavailable
from domain.identity import Principal

TOKEN: Final = "token"  # noqa: S105  (a check's name)


@frozen
class _Fetched:
    """The fetch that has been made already, with what it brought."""

    keys: Mapping[str, PublicKey] | None

    async def __call__(self) -> Mapping[str, PublicKey]:
        if self.keys is None:
            raise KeySetNotFetched("there is no usable key set")
        return self.keys


async def judge_token(
    unverified_token: str,
    keys: Mapping[str, PublicKey] | None,
    rules: ClaimRules,
    now: Callable[[], float] = time.time,
) -> Finding:
    """The service's own verdict over these keys (`None`: none were to be had), explained."""
    token = Unverified.of(unverified_token)
    at = now()
    verifier = JwtVerifier(RemoteKeySet(_Fetched(keys)), rules, lambda: at)
    try:
        principal = await verifier.verify(unverified_token)
    except KeysUnavailable:
        return Finding.not_judged(TOKEN, "its form is sound, but there is no usable key set")
    except InvalidToken as refusal:
        wrong, advice = explain(refusal.reason, Case(token=token, rules=rules, keys=keys or {}, now=at))
        return Finding.failed(TOKEN, f"refused: {wrong}", advice)
    return _accepted(principal, seconds(token.date("exp") + rules.leeway - at))


def _accepted(principal: Principal, left: str) -> Finding:
    path = f"/api/{quote(principal.user_id, safe='')}/tasks"
    if "/" in principal.user_id:
        return Finding.note(
            TOKEN,
            "accepted, but its `sub` has a slash: it has no path, and gets 403 on every one",
            "let the jwt plugin's getSubject return an id without a slash",
        )
    return Finding.ok(
        TOKEN, f"accepted for {left} more; it opens {path} (403: the path's user id is not this token's `sub`)"
    )
