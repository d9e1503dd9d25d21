"""A close look at the issuer's key set: whether it can be had, what is in it, and by which clock it came."""

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

from adapters.tokens.jwks import (
    DEADLINE,
    HttpJwks,
    JwksFetchError,
    JwksResponse,
    PublicKey,
    UnexpectedStatus,
    parse_key_set,
)
from adapters.tokens.jws import decode_json_object
from application.health import Finding, quoted

KEY_SET, KEYS, CLOCK = "key-set", "keys", "clock"
SHOWN_KEYS: Final = 8
"""Key ids that are listed at most."""

_OTHER_ADDRESS: Final = "set EVO_TODO_JWKS_URL (default: BETTER_AUTH_BASE_URL with /api/auth/jwks)"
_NO_JSON: Final = f"open that address in a browser, then {_OTHER_ADDRESS}"
_EDDSA: Final = 'keep the jwt plugin\'s default, jwks.keyPairConfig.alg "EdDSA"'


@frozen(kw_only=True)
class IssuerCheck:
    """What was found, and the usable keys; `None` where no key set was to be had."""

    findings: tuple[Finding, ...]
    keys: Mapping[str, PublicKey] | None = None


async def check_issuer(source: HttpJwks, *, leeway: float, now: Callable[[], float] = time.time) -> IssuerCheck:
    """Ask for the key set once, as the service does, and say what there is to say."""
    started = now()
    try:
        answer = await source.fetch()
    except JwksFetchError as error:
        return _none(source.url, *_why_not_fetched(error))
    clock = check_clocks(answer, started=started, ended=now(), leeway=leeway, name=CLOCK)
    try:
        keys = parse_key_set(answer.document)
    except (ValueError, RecursionError):
        return _none(source.url, *_why_not_parsed(answer.document), clock)
    if not keys:
        return _none(
            source.url,
            "answers with an empty list of keys",
            "sign in once: Better Auth makes its first key at the first sign-in, or when a token is first asked for",
            clock,
        )
    found = Finding.ok(KEY_SET, f"{quoted(source.url)} answers with a key set")
    return IssuerCheck(findings=(found, _check_keys(answer, keys), clock), keys=keys)


def listed(kids: Mapping[str, PublicKey]) -> str:
    """The key ids, as one may show them."""
    names = sorted(kids)
    more = f" and {len(names) - SHOWN_KEYS} more" if len(names) > SHOWN_KEYS else ""
    return ", ".join(quoted(name) for name in names[:SHOWN_KEYS]) + more


def _none(url: str, what: str, advice: str, clock: Finding | None = None) -> IssuerCheck:
    failed = Finding.failed(KEY_SET, f"{quoted(url)} {what}", advice)
    why = "there is no usable key set"
    return IssuerCheck(
        findings=(
            failed,
            Finding.skipped(KEYS, why),
            clock or Finding.skipped(CLOCK, "the issuer did not answer"),
        )
    )


def _check_keys(answer: JwksResponse, keys: Mapping[str, PublicKey]) -> Finding:
    published: list[Any] = decode_json_object(answer.document)["keys"]
    passed_over = len(published) - len(keys)
    said = f"{len(keys)} usable: {listed(keys)}"
    if any(isinstance(jwk, dict) and "d" in jwk for jwk in published):
        return Finding.failed(KEYS, f"{said}; a private key is published", "replace that key pair at once: it is known")
    if passed_over:
        return Finding.note(
            KEYS,
            f"{said}; {passed_over} unusable, passed over",
            f"Ed25519 keys for signatures, each with a kid of its own, are usable: {_EDDSA}",
        )
    return Finding.ok(KEYS, said)


def _why_not_fetched(error: JwksFetchError) -> tuple[str, str]:
    if isinstance(error, UnexpectedStatus):
        return _why_not_ok(error)
    match error.__cause__:
        case TimeoutError() | httpx.TimeoutException():
            return (
                f"gives no whole answer within {DEADLINE:.0f} s",
                f"see whether Better Auth is stuck, or a firewall lies between, or {_OTHER_ADDRESS}",
            )
        case httpx.ConnectError() as cause:
            return _why_not_connected(list(_causes(cause)))
        case httpx.HTTPError():
            return "gives an answer that is no HTTP, or breaks off", f"see what listens there, or {_OTHER_ADDRESS}"
    return f"is no key set: {error}", _OTHER_ADDRESS


def _why_not_ok(error: UnexpectedStatus) -> tuple[str, str]:
    status = f"answers with status {error.status}"
    if error.status in range(300, 400) and error.location is not None:
        return (
            f"redirects to {quoted(error.location)}, and redirects are not followed",
            "set EVO_TODO_JWKS_URL to where the key set is in the end",
        )
    if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.METHOD_NOT_ALLOWED}:
        return status, f"add jwt() to Better Auth's plugins; if it has another path, {_OTHER_ADDRESS}"
    if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return status, f"let the key set be read without a login, or {_OTHER_ADDRESS}"
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return status, "read Better Auth's log: its database may lack the jwt plugin's jwks table"
    return status, f"200 was expected: {_OTHER_ADDRESS}"


def _why_not_connected(causes: list[BaseException]) -> tuple[str, str]:
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "refuses connections: nobody listens there", "start Better Auth, or set EVO_TODO_JWKS_URL"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "names a host that can't be found", f"correct the host's name: {_OTHER_ADDRESS}"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            "shows a certificate that this machine does not trust for that name",
            "have it signed by an authority that this machine trusts, or point SSL_CERT_FILE at its authority",
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "does not speak TLS", "write http:// instead of https:// if it is on this machine, or mend its TLS"
    return "can't be connected to", f"see whether this machine can reach it, or {_OTHER_ADDRESS}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _why_not_parsed(document: bytes) -> tuple[str, str]:
    if document.lstrip()[:1] == b"<":
        return "answers with a page, not with JSON", _NO_JSON
    try:
        keys = decode_json_object(document).get("keys")
    except (ValueError, RecursionError):
        return "answers with something that is no JSON object", _NO_JSON
    if not isinstance(keys, list):
        return "answers with JSON that is no key set: it has no list `keys`", _NO_JSON
    return f"publishes {len(keys)} keys, none of them usable: Ed25519 keys with a kid of their own are", _EDDSA


RESOLUTION: Final = 1.0
"""Seconds: the header leaves out their fraction (RFC 9110 §5.6.7)."""


def check_clocks(answer: JwksResponse, *, started: float, ended: float, leeway: float, name: str) -> Finding:
    """Whether the clocks differ by more than the leeway, for sure: the answer was made between start and end."""
    there = _seconds(answer.date)
    if there is None:
        return Finding.skipped(name, "the issuer's answer bears no Date")
    if answer.age is not None:
        return Finding.skipped(name, "the answer comes out of a cache")
    ahead, behind = there - ended, started - (there + RESOLUTION)
    apart = max(ahead, behind, 0.0)
    if apart <= leeway:
        agree = "agrees with this machine's" if apart == 0 else f"differs from this machine's by {apart:.0f} s"
        return Finding.ok(name, f"the issuer's clock {agree}; {leeway:g} s are allowed")
    return Finding.failed(
        name,
        f"the issuer's clock is {apart:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's, {leeway:g} s are"
        f" allowed: it is {_time(there)} there, {_time(ended)} here",
        f"set the clock that is wrong (NTP): {_consequence(is_ahead=ahead > 0)}",
    )


def _consequence(*, is_ahead: bool) -> str:
    if is_ahead:
        return "if it is this machine's, set it forward, else the issuer's back; until then tokens are not valid yet"
    return "if it is the issuer's, set it forward, else this machine's back; until then tokens expire too early"


def _seconds(date: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(date or "")
        # A date without a zone is in UTC here (RFC 9110 §5.6.7).
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
