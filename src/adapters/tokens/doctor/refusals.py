"""Explanations of the verifier's reasons for a refusal: what is wrong with the token, and what to do."""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from adapters.tokens.claims import ClaimRules
from adapters.tokens.doctor.issuer_check import listed
from adapters.tokens.doctor.malformed import (
    COPY_TOKEN,
    GET_TOKEN,
    Explanation,
    UnverifiedToken,
    describe,
    duration,
    explain_malformed,
    near_miss,
)
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import (
    ALGORITHMS,
    MALFORMED,
    MAX_KID,
    MAX_LENGTH,
    REFUSED_MEMBERS,
    SIGNATURE_BYTES,
    SIGNATURE_MISMATCH,
)
from application.health import quoted
from domain.identity import MAX_SESSION_ID, MAX_USER_ID

_COMPARE_CLOCKS: Final = "compare the clocks of this machine and Better Auth's"
_SET_SUBJECT: Final = "let the jwt plugin's getSubject return the user's ID, or remove it"


@frozen(kw_only=True)
class RejectedToken:
    """A token that the verifier has refused, and what it was validated against."""

    token: UnverifiedToken
    rules: ClaimRules
    keys: Mapping[str, PublicKey]
    now: float


Explainer = Callable[[RejectedToken], Explanation]


def explain(reason: str, rejected: RejectedToken) -> Explanation:
    """What is wrong with a token that was refused for this reason, and what to do."""
    explainer = EXPLANATIONS.get(reason)
    return explainer(rejected) if explainer else (reason, GET_TOKEN)


def _malformed(rejected: RejectedToken) -> Explanation:
    return explain_malformed(rejected.token)


def _too_long(rejected: RejectedToken) -> Explanation:
    length = len(rejected.token.text)
    return f"it has {length} characters, at most {MAX_LENGTH} are accepted", "let definePayload return less"


def _signature_length(rejected: RejectedToken) -> Explanation:
    if rejected.token.header.get("alg") not in ALGORITHMS:
        return _algorithm(rejected)
    return f"its signature does not have {SIGNATURE_BYTES} bytes: it was cut or changed", COPY_TOKEN


def _algorithm(rejected: RejectedToken) -> Explanation:
    return (
        f"{describe(rejected.token.header, 'alg')}, but only EdDSA (Ed25519) is accepted",
        'keep the jwt plugin\'s default, jwks.keyPairConfig.alg "EdDSA"; the JWT of a session cookie is not accepted',
    )


def _refused_member(rejected: RejectedToken) -> Explanation:
    names = ", ".join(f"`{member}`" for member in REFUSED_MEMBERS if member in rejected.token.header)
    return f"its header has {names}, which is never accepted", GET_TOKEN


def _token_type(rejected: RejectedToken) -> Explanation:
    if "events" in rejected.token.claims:
        return "it has `events`: it is a security event (a logout token), not an access token", GET_TOKEN
    typ = describe(rejected.token.header, "typ")
    return f"{typ}: it is a token of another type", f"{GET_TOKEN}, not an ID or logout token"


def _no_kid(rejected: RejectedToken) -> Explanation:
    if isinstance(kid := rejected.token.header.get("kid"), str):
        return f"its `kid` has {len(kid)} characters, 1 to {MAX_KID} are accepted", GET_TOKEN
    return f"{describe(rejected.token.header, 'kid')}, so its key is unknown", GET_TOKEN


def _unknown_key(rejected: RejectedToken) -> Explanation:
    kid = describe(rejected.token.header, "kid")
    issuer = describe(rejected.token.claims, "iss")
    return (
        f"{kid}, but the published keys are {listed(rejected.keys)}; {issuer}",
        f"if that is your Better Auth, the key was removed: {GET_TOKEN}; else set EVO_TODO_JWKS_URL to its key set",
    )


def _signature_mismatch(rejected: RejectedToken) -> Explanation:
    return (
        f"its signature does not match the published key {quoted(str(rejected.token.header.get('kid')))}",
        f"{GET_TOKEN}: the token was changed, or another issuer signed it with another key of that ID",
    )


def _replaced_key(_: RejectedToken) -> Explanation:
    return "its key was replaced while it was verified", GET_TOKEN


def _issuer(rejected: RejectedToken) -> Explanation:
    return (
        _unexpected(rejected, "iss", rejected.rules.issuer),
        "set EVO_TODO_ISSUER to your Better Auth's value, or `issuer` in its jwt plugin to the expected one",
    )


def _bound(_: RejectedToken) -> Explanation:
    return (
        "it has `cnf`: it is bound to a key (DPoP or mutual TLS), and this service can't check who holds that key",
        f"{GET_TOKEN}, or let the application ask for a token without DPoP",
    )


def _audience(rejected: RejectedToken) -> Explanation:
    return (
        _unexpected(rejected, "aud", rejected.rules.audience),
        "set EVO_TODO_AUDIENCE to your Better Auth's value, or `audience` in its jwt plugin to the expected one",
    )


def _unexpected(rejected: RejectedToken, name: str, expected: str) -> str:
    claims = rejected.token.claims
    return (
        f"{describe(claims, name)}, but this service expects {quoted(expected)}{near_miss(claims.get(name), expected)}"
    )


def _no_subject(rejected: RejectedToken) -> Explanation:
    return "its `sub` is not a string" if "sub" in rejected.token.claims else "it has no `sub`", _SET_SUBJECT


def _subject(_: RejectedToken) -> Explanation:
    return f"its `sub` is empty, longer than {MAX_USER_ID} characters, or has control characters", _SET_SUBJECT


def _session(_: RejectedToken) -> Explanation:
    return (
        f"its `sid` is not a string of 1 to {MAX_SESSION_ID} characters without control characters",
        "let definePayload return session.id as `sid`, or remove it",
    )


def _dates(rejected: RejectedToken) -> Explanation:
    names = ["exp", "iat", *(["nbf"] if "nbf" in rejected.token.claims else [])]
    values = "; ".join(describe(rejected.token.claims, name) for name in names)
    return f"its dates are not all numbers of seconds: {values}", "leave `exp`, `iat` and `nbf` to the jwt plugin"


def _expired(rejected: RejectedToken) -> Explanation:
    age = duration(rejected.now - rejected.token.date("exp"))
    leeway = f"{rejected.rules.leeway:g} s"
    return f"it expired {age} ago; {leeway} are allowed", f"{GET_TOKEN}; if it is new, {_COMPARE_CLOCKS}"


def _not_valid_yet(rejected: RejectedToken) -> Explanation:
    token, leeway = rejected.token, f"{rejected.rules.leeway:g} s"
    name = max((name for name in ("iat", "nbf") if name in token.claims), key=token.date)
    ahead = duration(token.date(name) - rejected.now)
    return f"its `{name}` is {ahead} ahead of this machine's clock; {leeway} are allowed", _COMPARE_CLOCKS


def _lifetime(rejected: RejectedToken) -> Explanation:
    lifetime = duration(rejected.token.date("exp") - rejected.token.date("iat"))
    return (
        f"its lifetime is {lifetime} from `iat` to `exp`, at most {duration(rejected.rules.max_lifetime)} are accepted",
        "shorten jwt.expirationTime in the jwt plugin, or raise EVO_TODO_MAX_TOKEN_LIFETIME",
    )


EXPLANATIONS: Final[Mapping[str, Explainer]] = {
    MALFORMED: _malformed,
    SIGNATURE_MISMATCH: _signature_mismatch,
    "The token is too long.": _too_long,
    "The token's signature is not an Ed25519 signature.": _signature_length,
    "The token's algorithm is not accepted: EdDSA or Ed25519.": _algorithm,
    "The token's header has a member that is not accepted.": _refused_member,
    "The token is not an access token.": _token_type,
    "The token's key ID (kid) is missing or invalid.": _no_kid,
    "The token is signed with an unknown key.": _unknown_key,
    "The token's key has been replaced.": _replaced_key,
    "The token is from another issuer.": _issuer,
    "The token is for another audience.": _audience,
    "The token is bound to a key.": _bound,
    "The token's subject is missing or not a string.": _no_subject,
    "The token's subject is not a valid user ID.": _subject,
    "The token's session ID is invalid.": _session,
    "The token's dates are missing or not numbers.": _dates,
    "The token has expired.": _expired,
    "The token is not valid yet.": _not_valid_yet,
    "The token's lifetime is too long.": _lifetime,
}
"""By the verifier's own refusal reasons."""
