"""Would this token be accepted now? The verifier says whether, this says why not."""

import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from attrs import frozen

from adapters.tokens.claims import ClaimRules
from adapters.tokens.doctor.issuer_check import listed
from adapters.tokens.doctor.malformed import (
    ASK,
    Explainer,
    Explanation,
    RejectedToken,
    Unverified,
    explain_malformed,
    near_miss,
    seconds,
    shown,
)
from adapters.tokens.jwks import JwksFetchError, PublicKey
from adapters.tokens.jwks_cache import JwksCache
from adapters.tokens.jws import ALGORITHMS, MALFORMED, MAX_KID, MAX_LENGTH, REFUSED_MEMBERS, SIGNATURE_BYTES
from adapters.tokens.jwt_verifier import JwtVerifier
from application.health import Finding, quoted
from domain.errors import InvalidToken, KeysUnavailable
from domain.identity import MAX_SESSION_ID, MAX_USER_ID, Principal

TOKEN: Final = "token"  # noqa: S105  (a check's name)


@frozen
class _Fetched:
    """The fetch that has been made already, with what it brought."""

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
    """The service's own verdict over these keys (`None`: none were to be had), explained."""
    token = Unverified.of(unverified_token)
    at = now()
    verifier = JwtVerifier(JwksCache(_Fetched(keys)), rules, lambda: at)
    try:
        principal = await verifier.verify(unverified_token)
    except KeysUnavailable:
        return Finding.skipped(TOKEN, "its form is sound, but there is no usable key set")
    except InvalidToken as refusal:
        wrong, advice = explain(refusal.reason, RejectedToken(token=token, rules=rules, keys=keys or {}, now=at))
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


_CLOCKS: Final = "compare the clocks of this machine and Better Auth's"
_DATES: Final = ("exp", "iat", "nbf")


def explain(reason: str, case: RejectedToken) -> Explanation:
    """What is wrong with a token that was refused for this reason, and what to do."""
    about = EXPLANATIONS.get(reason)
    return about(case) if about else (reason, ASK)


def _too_long(case: RejectedToken) -> Explanation:
    length = len(case.token.text)
    return f"it has {length} characters, at most {MAX_LENGTH} are taken", "let definePayload put less into it"


def _signature_length(case: RejectedToken) -> Explanation:
    if case.token.header.get("alg") not in ALGORITHMS:
        return _algorithm(case)
    return (
        f"its signature has not {SIGNATURE_BYTES} bytes: it was cut or changed",
        "copy the token once more, and whole",
    )


def _algorithm(case: RejectedToken) -> Explanation:
    return (
        f"{shown(case.token.header, 'alg')}, but only EdDSA (Ed25519) is taken",
        "keep the jwt plugin's default, jwks.keyPairConfig.alg \"EdDSA\"; a session cookie's JWT is none for this",
    )


def _member(case: RejectedToken) -> Explanation:
    named = ", ".join(f"`{member}`" for member in REFUSED_MEMBERS if member in case.token.header)
    return f"its header has {named}, which is never taken", ASK


def _kind(case: RejectedToken) -> Explanation:
    if "events" in case.token.claims:
        return "it has `events`: it is a security event (a logout token), no access token", ASK
    return f"{shown(case.token.header, 'typ')}: it is a token of another kind", f"{ASK}, not an ID or logout token"


def _no_kid(case: RejectedToken) -> Explanation:
    if isinstance(kid := case.token.header.get("kid"), str):
        return f"its `kid` has {len(kid)} characters, 1 to {MAX_KID} are taken", ASK
    return f"{shown(case.token.header, 'kid')}, so that its key can't be told", ASK


def _unknown_kid(case: RejectedToken) -> Explanation:
    named = f"{shown(case.token.header, 'kid')}, but the published keys are {listed(case.keys)}"
    return (
        f"{named}; {shown(case.token.claims, 'iss')}",
        f"if that is your Better Auth, the key is gone: {ASK}; else set EVO_TODO_JWKS_URL to its key set",
    )


def _signature(case: RejectedToken) -> Explanation:
    return (
        f"its signature is not of the published key {quoted(str(case.token.header.get('kid')))}",
        f"{ASK}: it was changed on its way, or is from an issuer with another key of that name",
    )


def _replaced(_: RejectedToken) -> Explanation:
    return "its key was replaced while it was judged", ASK


def _issuer(case: RejectedToken) -> Explanation:
    return (
        _another(case, "iss", case.rules.issuer),
        "set EVO_TODO_ISSUER to what your Better Auth says, or `issuer` in its jwt plugin to what is expected",
    )


def _audience(case: RejectedToken) -> Explanation:
    return (
        _another(case, "aud", case.rules.audience),
        "set EVO_TODO_AUDIENCE to what your Better Auth says, or `audience` in its jwt plugin to what is expected",
    )


def _another(case: RejectedToken, name: str, expected: str) -> str:
    slip = near_miss(case.token.claims.get(name), expected)
    return f"{shown(case.token.claims, name)}, but this service expects {quoted(expected)}{slip}"


def _no_subject(case: RejectedToken) -> Explanation:
    known = "it has no `sub`" if "sub" not in case.token.claims else "its `sub` is no text"
    return known, "let the jwt plugin's getSubject return the user's id, or leave it out"


def _subject(_: RejectedToken) -> Explanation:
    return (
        f"its `sub` is empty, longer than {MAX_USER_ID} characters, or has control characters",
        "let the jwt plugin's getSubject return the user's id, or leave it out",
    )


def _session(_: RejectedToken) -> Explanation:
    return (
        f"its `sid` is no text of 1 to {MAX_SESSION_ID} characters without control characters",
        "let definePayload return session.id as `sid`, or leave it out",
    )


def _dates(case: RejectedToken) -> Explanation:
    wrong = [name for name in _DATES if name in case.token.claims or name != "nbf"]
    told = "; ".join(shown(case.token.claims, name) for name in wrong)
    return f"its dates are not all numbers of seconds: {told}", "leave `exp`, `iat` and `nbf` to the jwt plugin"


def _expired(case: RejectedToken) -> Explanation:
    ago = seconds(case.now - case.token.date("exp"))
    return f"it expired {ago} ago; {case.rules.leeway:g} s are allowed", f"{ASK}; if it is new, {_CLOCKS}"


def _too_early(case: RejectedToken) -> Explanation:
    name = max((name for name in ("iat", "nbf") if name in case.token.claims), key=case.token.date)
    wait = seconds(case.token.date(name) - case.now)
    return f"its `{name}` is {wait} ahead of this machine's clock; {case.rules.leeway:g} s are allowed", _CLOCKS


def _lifetime(case: RejectedToken) -> Explanation:
    length = seconds(case.token.date("exp") - case.token.date("iat"))
    return (
        f"it lives {length} from `iat` to `exp`, at most {seconds(case.rules.max_lifetime)} are taken",
        "shorten jwt.expirationTime in the jwt plugin, or raise EVO_TODO_MAX_TOKEN_LIFETIME",
    )


EXPLANATIONS: Final[Mapping[str, Explainer]] = {
    MALFORMED: explain_malformed,
    "The token is too long.": _too_long,
    "The token's signature is not an Ed25519 signature.": _signature_length,
    "The token's algorithm is not accepted: EdDSA or Ed25519.": _algorithm,
    "The token's header has a member that is not accepted.": _member,
    "The token is not an access token.": _kind,
    "The token names no key.": _no_kid,
    "The token is signed with a key that is not known here.": _unknown_kid,
    "The token's key has been replaced.": _replaced,
    "The token's signature does not match.": _signature,
    "The token is from another issuer.": _issuer,
    "The token is for another audience.": _audience,
    "The token names no subject.": _no_subject,
    "The token's subject is not one we can take.": _subject,
    "The token's session is not one we can take.": _session,
    "The token's dates are missing or no numbers.": _dates,
    "The token has expired.": _expired,
    "The token is not valid yet.": _too_early,
    "The token lives too long.": _lifetime,
}
"""By the very sentences of the verifier, whose verdict it is."""
