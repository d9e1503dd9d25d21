"""Check the issuer's key set: whether it can be fetched, which keys it has, and whether the clocks agree."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
from attrs import frozen

from adapters.tokens.jwks import HttpJwks, JwksFetchError, JwksResponse, PublicKey, UnexpectedStatus, parse_key_set
from adapters.tokens.jws import decode_json_object
from application.health import Finding, quoted

KEY_SET, KEYS, CLOCK = "key-set", "keys", "clock"
MAX_LISTED_KEYS: Final = 8
"""Key IDs that are shown."""

_SET_URL: Final = "set EVO_TODO_JWKS_URL (default: BETTER_AUTH_BASE_URL with /api/auth/jwks)"
_OPEN_URL: Final = f"open that URL in a browser, then {_SET_URL}"
_START: Final = (
    "start Better Auth, or set EVO_TODO_JWKS_URL; if it does not start, read its log: after its secret was changed, for"
    " example, it can't read its stored keys"
)
_USE_EDDSA: Final = 'keep the jwt plugin\'s default, jwks.keyPairConfig.alg "EdDSA"'


@frozen(kw_only=True)
class IssuerCheck:
    """The findings, and the usable keys; `None` when there is no usable key set."""

    findings: tuple[Finding, ...]
    keys: Mapping[str, PublicKey] | None = None


async def check_issuer(source: HttpJwks, *, leeway: float, now: Callable[[], float] = time.time) -> IssuerCheck:
    """Fetch the key set once, as the service does, and report on it."""
    started = now()
    try:
        response = await source.fetch()
    except JwksFetchError as error:
        return _no_keys(source.url, *_explain_fetch_error(error, source.timeout))
    clock = check_clocks(response, started=started, ended=now(), leeway=leeway, name=CLOCK)
    try:
        keys = parse_key_set(response.document)
    except (ValueError, RecursionError):
        return _no_keys(source.url, *_explain_parse_error(response.document), clock)
    if not keys:
        return _no_keys(
            source.url,
            "responds with an empty list of keys",
            "sign in once: Better Auth creates its first key at the first sign-in, or when a token is first requested",
            clock,
        )
    found = Finding.ok(KEY_SET, f"{quoted(source.url)} responds with a key set")
    return IssuerCheck(findings=(found, _check_keys(response, keys), clock), keys=keys)


def listed(keys: Mapping[str, PublicKey]) -> str:
    """The key IDs, safe to print."""
    kids = sorted(keys)
    more = f" and {len(kids) - MAX_LISTED_KEYS} more" if len(kids) > MAX_LISTED_KEYS else ""
    return ", ".join(quoted(kid) for kid in kids[:MAX_LISTED_KEYS]) + more


def _no_keys(url: str, problem: str, advice: str, clock: Finding | None = None) -> IssuerCheck:
    return IssuerCheck(
        findings=(
            Finding.failed(KEY_SET, f"{quoted(url)} {problem}", advice),
            Finding.skipped(KEYS, "there is no usable key set"),
            clock or Finding.skipped(CLOCK, "the issuer did not respond"),
        )
    )


def _check_keys(response: JwksResponse, keys: Mapping[str, PublicKey]) -> Finding:
    published: list[Any] = decode_json_object(response.document)["keys"]
    unusable = len(published) - len(keys)
    summary = f"{len(keys)} usable: {listed(keys)}"
    if any(isinstance(jwk, dict) and "d" in jwk for jwk in published):
        return Finding.failed(
            KEYS, f"{summary}; a private key is published", "replace that key pair at once: it is compromised"
        )
    if unusable:
        return Finding.note(
            KEYS,
            f"{summary}; {unusable} unusable and ignored",
            f"Ed25519 keys for signatures, each with a kid of its own, are usable: {_USE_EDDSA}",
        )
    return Finding.ok(KEYS, summary)


def _explain_fetch_error(error: JwksFetchError, timeout: float) -> tuple[str, str]:
    if isinstance(error, UnexpectedStatus):
        return _explain_status(error)
    match error.__cause__:
        case TimeoutError() | httpx.TimeoutException():
            return (
                f"gives no complete response within {timeout:g} s",
                f"check whether Better Auth hangs or a firewall blocks the connection, or {_SET_URL}",
            )
        case httpx.ConnectError() as cause:
            return _explain_connect_error(list(_causes(cause)))
        case httpx.HTTPError():
            return "responds with something other than HTTP, or breaks off", f"check what listens there, or {_SET_URL}"
    return f"is not a key set: {error}", _SET_URL


def _explain_status(error: UnexpectedStatus) -> tuple[str, str]:
    problem = f"responds with status {error.status}"
    if error.status in range(300, 400) and error.location is not None:
        return (
            f"redirects to {quoted(error.location)}, and redirects are not followed",
            "set EVO_TODO_JWKS_URL to the final URL of the key set",
        )
    if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.METHOD_NOT_ALLOWED}:
        return problem, f"add jwt() to Better Auth's plugins; if it has another path, {_SET_URL}"
    if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return problem, f"make the key set readable without a login, or {_SET_URL}"
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return problem, "read Better Auth's log: its database may lack the jwt plugin's jwks table, or it has no secret"
    return problem, f"200 was expected: {_SET_URL}"


def _explain_connect_error(causes: list[BaseException]) -> tuple[str, str]:
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "refuses connections: no server listens there", _START
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "has a host name that can't be resolved", f"correct the host name: {_SET_URL}"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            "has a certificate that this machine does not trust for that name",
            "use a certificate of an authority that this machine trusts, or point SSL_CERT_FILE at its authority",
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "does not speak TLS", "write http:// instead of https:// if it is on this machine, or fix its TLS"
    return "can't be connected to", f"check whether this machine can reach it, or {_SET_URL}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _explain_parse_error(document: bytes) -> tuple[str, str]:
    if document.lstrip()[:1] == b"<":
        return "responds with a page, not with JSON", _OPEN_URL
    try:
        keys = decode_json_object(document).get("keys")
    except (ValueError, RecursionError):
        return "responds with something that is not a JSON object", _OPEN_URL
    if not isinstance(keys, list):
        return "responds with JSON that is not a key set: it has no list `keys`", _OPEN_URL
    return f"publishes {len(keys)} keys, none of them usable: an Ed25519 key with its own kid is required", _USE_EDDSA


DATE_RESOLUTION: Final = 1.0
"""Seconds: the Date header leaves out their fraction (RFC 9110 §5.6.7)."""


def check_clocks(response: JwksResponse, *, started: float, ended: float, leeway: float, name: str) -> Finding:
    """Whether the issuer's clock certainly differs by more than the leeway.

    The response was made at some time from start to end, so only what lies outside counts as a difference.
    """
    issuer_time = _parse_date(response.date)
    if issuer_time is None:
        return Finding.skipped(name, "the issuer's response has no valid Date header")
    if response.age is not None:
        return Finding.skipped(name, "the response comes from a cache")
    ahead, behind = issuer_time - ended, started - (issuer_time + DATE_RESOLUTION)
    difference = max(ahead, behind, 0.0)
    if difference <= leeway:
        agrees = (
            "agrees with this machine's" if difference == 0 else f"differs from this machine's by {difference:.0f} s"
        )
        return Finding.ok(name, f"the issuer's clock {agrees}; {leeway:g} s are allowed")
    return Finding.failed(
        name,
        f"the issuer's clock is {difference:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's,"
        f" {leeway:g} s are allowed: it is {_format(issuer_time)} there, {_format(ended)} here",
        f"set the clock that is wrong (NTP): {_consequence(is_ahead=ahead > 0)}",
    )


def _consequence(*, is_ahead: bool) -> str:
    if is_ahead:
        return "if it is this machine's, set it forward, else the issuer's back; until then tokens are not valid yet"
    return "if it is the issuer's, set it forward, else this machine's back; until then tokens expire too early"


def _parse_date(date: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(date or "")
        # A date without a zone is in UTC here (RFC 9110 §5.6.7).
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _format(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
