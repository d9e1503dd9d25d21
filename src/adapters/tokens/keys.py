"""A published key set (RFC 7517) and the keys in it that we can use: Ed25519, for signatures."""

import logging
from collections import Counter
from typing import Any

from attrs import field, frozen
from joserfc.jwk import OKPKey

from adapters.tokens.compact import MAX_KID
from adapters.tokens.strict import decode_base64url, decode_json_object

logger = logging.getLogger(__name__)

KEY_BYTES = 32


@frozen
class PublicKey:
    """A key of the issuer's; two are equal when name and bytes are."""

    kid: str
    x: str
    jose: OKPKey = field(eq=False, repr=False)


def parse_key_set(document: bytes) -> dict[str, PublicKey]:
    """The usable keys by their `kid`. Each is judged alone, unusable ones are passed over (RFC 7517 §5).

    Raises:
        ValueError: this is no key set, or one in which nothing is usable. RecursionError: it is too deep.
    """
    keys = decode_json_object(document).get("keys")
    if not isinstance(keys, list):
        raise ValueError("not a key set: `keys` is no list")  # noqa: TRY004  (a value off the wire)
    found = [key for jwk in keys if (key := _usable(jwk)) is not None]
    # Two keys of one name: which one signed can't be told, so neither counts.
    names = Counter(jwk["kid"] for jwk in keys if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str))
    usable = {key.kid: key for key in found if names[key.kid] == 1}
    if keys and not usable:
        raise ValueError("no key in the set is usable: Ed25519 keys with a kid of their own are")
    return usable


def _usable(jwk: Any) -> PublicKey | None:
    if not isinstance(jwk, dict):
        return None
    if "d" in jwk:
        logger.error("the issuer publishes a private key; it is not used, and should be replaced at once")
        return None
    kid, x, operations = jwk.get("kid"), jwk.get("x"), jwk.get("key_ops", ["verify"])
    fits = (
        jwk.get("kty") == "OKP"
        and jwk.get("crv") == "Ed25519"
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and jwk.get("alg", "EdDSA") in ("EdDSA", "Ed25519")
    )
    if not (fits and isinstance(kid, str) and 1 <= len(kid) <= MAX_KID and isinstance(x, str)):
        return None
    try:
        if len(decode_base64url(x)) != KEY_BYTES:
            return None
        return PublicKey(kid, x, OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x}))
    except ValueError:
        return None
