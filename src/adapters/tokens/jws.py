"""JSON Web Signatures: strict parsing before any key is used, then the one accepted algorithm (RFC 7515, RFC 8725)."""

import base64
import binascii
import json
import logging
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import joserfc.jws
from attrs import frozen
from joserfc.errors import BadSignatureError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey

from domain.errors import DomainError, InvalidToken

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_LENGTH: Final = 8 * 1024
"""Characters; a longer token is refused before it is parsed."""
MAX_KID: Final = 256
"""Characters of a key ID."""
SIGNATURE_BYTES: Final = 64
ALGORITHMS: Final = ("EdDSA", "Ed25519")
"""The names of RFC 8037 and RFC 9864; with the accepted keys, both mean Ed25519."""
REFUSED_MEMBERS: Final = ("jwk", "jku", "x5u", "x5c", "crit", "b64")
"""Header members that bring a key or its address along, or extensions that change what is signed."""

MALFORMED: Final = "The token is malformed."
SIGNATURE_MISMATCH: Final = "The token's signature does not match."
NO_SECURITY_EVENT: Final = "The token is not a Security Event Token: its type is not secevent+jwt."

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ACCESS_TOKENS = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_SECURITY_EVENTS = frozenset({"secevent+jwt", "application/secevent+jwt"})


@frozen
class ParsedJws:
    """A well-formed token; its signature is not verified yet."""

    text: str
    kid: str
    payload: bytes


def parse_access_token(unverified_token: str) -> ParsedJws:
    """Parse an access token.

    Raises:
        InvalidToken: its form or its header breaks a rule.
    """
    token, header = _parse(unverified_token)
    # Better Auth sets no type. The issuer signs other kinds of token with the same key (RFC 8725 §3.11).
    if "typ" in header and not _is_of(_ACCESS_TOKENS, header["typ"]):
        raise InvalidToken("The token is not an access token.")
    return token


def parse_security_event(unverified_event: str) -> ParsedJws:
    """Parse a Security Event Token, which must have its explicit type (RFC 8417 §2.3).

    Raises:
        InvalidToken: its form or its header breaks a rule.
    """
    token, header = _parse(unverified_event)
    if not _is_of(_SECURITY_EVENTS, header.get("typ")):
        raise InvalidToken(NO_SECURITY_EVENT)
    return token


def _parse(unverified_token: str) -> tuple[ParsedJws, dict[str, Any]]:
    if not _COMPACT.fullmatch(unverified_token):
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


def _kid(header: dict[str, Any]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= MAX_KID:
        raise InvalidToken("The token's key ID (kid) is missing or invalid.")
    return kid


def _is_of(types: frozenset[str], name: object) -> bool:
    return isinstance(name, str) and name.lower() in types


def verify_signature(token: ParsedJws, key: OKPKey, read_claims: Callable[[dict[str, Any]], T]) -> T:
    """Verify the signature, decode the payload and return the result of `read_claims`.

    The payload is decoded only after its signature is verified (RFC 7515 §5.2, RFC 8032).

    Raises:
        InvalidToken: the signature does not match, or the payload is malformed. An unexpected exception counts as a
            malformed payload and is logged: whatever a hostile token makes a parser do, the token is wrong.
        DomainError: raised by `read_claims`.
    """
    try:
        joserfc.jws.deserialize_compact(token.text, key, registry=ED25519)
        return read_claims(decode_json_object(token.payload))
    except DomainError:
        raise
    except BadSignatureError as error:
        raise InvalidToken(SIGNATURE_MISMATCH) from error
    except Exception as error:
        logger.warning("parsing a signed token failed", extra={"error": type(error).__name__})
        raise InvalidToken(MALFORMED) from error


class Ed25519Registry(joserfc.jws.JWSRegistry):
    """Maps RFC 8037's "EdDSA" to RFC 9864's "Ed25519": never Ed448, and no other algorithm."""

    max_header_length = MAX_LENGTH  # a key ID alone may exceed joserfc's 512 bytes

    def get_alg(self, name: str) -> JWSAlgModel:
        """The algorithm of that name; joserfc refuses every other name."""
        return super().get_alg("Ed25519" if name in ALGORITHMS else name)


# Unknown header members are ignored (RFC 7515 §4); those that matter are refused in _validate_header.
ED25519: Final = Ed25519Registry(algorithms=["Ed25519"], strict_check_header=False)


def decode_base64url(text: str) -> bytes:
    """Decode base64url strictly: no padding, no other alphabet, no stray bits at the end (RFC 7515 §2).

    Raises:
        ValueError: the text is not the canonical encoding of any bytes.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return data


def decode_json_object(data: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8, member names unique at every depth, no NaN and no Infinity (RFC 8259, RFC 7515 §4).

    Raises:
        ValueError: it is anything else.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (the value is input, not an argument of a wrong type)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member name")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
