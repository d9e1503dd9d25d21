"""A token's form, judged before any key is looked at: RFC 7515 and the limits RFC 8725 advises."""

import base64
import binascii
import json
import re
from typing import Any, Final, NoReturn

from attrs import frozen

from domain.errors import InvalidToken

MAX_LENGTH: Final = 8 * 1024
"""Characters; a longer token is refused before anything looks into it."""
MAX_KID: Final = 256
SIGNATURE_BYTES: Final = 64
ALGORITHMS: Final = ("EdDSA", "Ed25519")
"""RFC 8037's name and RFC 9864's; with the keys we accept, both are Ed25519."""

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ACCESS_TOKENS = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_SECURITY_EVENTS = frozenset({"secevent+jwt", "application/secevent+jwt"})
# A key, or a place to get one, that the token brings along; extensions that change what is signed.
REFUSED_MEMBERS = ("jwk", "jku", "x5u", "x5c", "crit", "b64")

MALFORMED: Final = "The token is malformed."
NO_SECURITY_EVENT: Final = "The token is no Security Event Token: its type is not secevent+jwt."


@frozen
class ParsedJws:
    """A token whose form is sound; nothing in it is believed yet."""

    text: str
    kid: str
    payload: bytes


def parse_access_token(unverified_token: str) -> ParsedJws:
    """Take an access token apart.

    Raises:
        InvalidToken: its form or its header breaks a rule.
    """
    token, header = _take_apart(unverified_token)
    # Better Auth names no type. The issuer signs other kinds of token with the same key (RFC 8725 §3.11).
    if "typ" in header and not _is_of(_ACCESS_TOKENS, header["typ"]):
        raise InvalidToken("The token is not an access token.")
    return token


def parse_security_event(unverified_event: str) -> ParsedJws:
    """Take a Security Event Token apart: one that says that it is one (RFC 8417 §2.3).

    Raises:
        InvalidToken: its form or its header breaks a rule.
    """
    token, header = _take_apart(unverified_event)
    if not _is_of(_SECURITY_EVENTS, header.get("typ")):
        raise InvalidToken(NO_SECURITY_EVENT)
    return token


def _take_apart(unverified_token: str) -> tuple[ParsedJws, dict[str, Any]]:
    if not _FORM.fullmatch(unverified_token):
        raise InvalidToken(MALFORMED)
    try:
        encoded_header, encoded_payload, encoded_signature = unverified_token.split(".")
        header = decode_json_object(decode_base64url(encoded_header))
        payload = decode_base64url(encoded_payload)
        signature = decode_base64url(encoded_signature)
    except (ValueError, RecursionError) as error:
        raise InvalidToken(MALFORMED) from error
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidToken("The token's signature is not an Ed25519 signature.")
    _validate_header(header)
    return ParsedJws(unverified_token, _kid(header), payload), header


def _validate_header(header: dict[str, Any]) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidToken("The token's algorithm is not accepted: EdDSA or Ed25519.")
    if any(member in header for member in REFUSED_MEMBERS):
        raise InvalidToken("The token's header has a member that is not accepted.")


def _is_of(types: frozenset[str], name: object) -> bool:
    return isinstance(name, str) and name.lower() in types


def _kid(header: dict[str, Any]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= MAX_KID:
        raise InvalidToken("The token names no key.")
    return kid


def decode_base64url(text: str) -> bytes:
    """RFC 7515 §2: no padding, no other alphabet, no stray bits at the end.

    Raises:
        ValueError: the text is not the one way to write some bytes.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not the only spelling in base64url")
    return data


def decode_json_object(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, member names unique at every depth, no NaN and no Infinity (RFC 8259, RFC 7515 §4).

    Raises:
        ValueError: it is anything else. RecursionError: it is too deep.
    """
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (a value off the wire, not a type of ours)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name stands twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
