"""A JSON Web Key Set (RFC 7517): parsing it, and fetching it with one bounded HTTP request."""

import asyncio
import logging
import ssl
from typing import Any, Final

import httpx
from attrs import field, frozen
from joserfc.jwk import OKPKey

from adapters.tokens.jws import ALGORITHMS, MAX_KID, decode_base64url, decode_json_object

logger = logging.getLogger(__name__)

KEY_BYTES: Final = 32


@frozen
class PublicKey:
    """One of the issuer's Ed25519 keys; two are equal when their key IDs and bytes are."""

    kid: str
    x: str
    """The public key in base64url (RFC 8037 §2)."""
    jose: OKPKey = field(eq=False, repr=False)


def parse_key_set(document: bytes) -> dict[str, PublicKey]:
    """The usable keys by their `kid`. Each key is validated alone, unusable ones are ignored (RFC 7517 §5).

    Raises:
        ValueError: it is not a key set, or none of its keys is usable.
        RecursionError: it is nested too deeply.
    """
    keys = decode_json_object(document).get("keys")
    if not isinstance(keys, list):
        raise ValueError("not a key set: `keys` is not a list")  # noqa: TRY004  (input, not an argument's type)
    candidates = [key for jwk in keys if (key := _parse_key(jwk)) is not None]
    # Two keys with one ID, usable or not: which one signed is ambiguous, so neither is used.
    identities: dict[str, set[str]] = {}
    for jwk in keys:
        if isinstance(jwk, dict) and isinstance(kid := jwk.get("kid"), str):
            identities.setdefault(kid, set()).add(_identity(jwk))
    usable = {key.kid: key for key in candidates if len(identities[key.kid]) == 1}
    if keys and not usable:
        raise ValueError("no key in the set is usable: an Ed25519 key with a kid of its own is required")
    return usable


def _identity(jwk: dict[str, Any]) -> str:
    """Equal for entries with the same key: the members that define it (RFC 7638 §3.2), and whether it is private."""
    return repr([jwk.get("kty"), jwk.get("crv"), jwk.get("x"), "d" in jwk])


def _parse_key(jwk: Any) -> PublicKey | None:
    if not isinstance(jwk, dict):
        return None
    if "d" in jwk:
        logger.error("the issuer publishes a private key; it is ignored, and should be replaced at once")
        return None
    kid, x, operations = jwk.get("kid"), jwk.get("x"), jwk.get("key_ops", ["verify"])
    is_ed25519_for_signatures = (
        jwk.get("kty") == "OKP"
        and jwk.get("crv") == "Ed25519"
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and jwk.get("alg", "EdDSA") in ALGORITHMS
    )
    if not (is_ed25519_for_signatures and isinstance(kid, str) and 1 <= len(kid) <= MAX_KID and isinstance(x, str)):
        return None
    try:
        if len(decode_base64url(x)) != KEY_BYTES:
            return None
        return PublicKey(kid, x, OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x}))
    except ValueError:
        return None


FETCH_TIMEOUT: Final = 5.0
"""Seconds for the whole exchange; httpx's own time-outs restart with every byte received."""
MAX_BYTES: Final = 256 * 1024
"""Of a response's body."""


def key_set_client() -> httpx.AsyncClient:
    """An HTTP client that follows no redirects, uses no proxy, and trusts the system's certificates."""
    return httpx.AsyncClient(
        verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, timeout=FETCH_TIMEOUT
    )


class JwksFetchError(Exception):
    """The key set could not be fetched; the message says why."""


class UnexpectedStatus(JwksFetchError):
    """The response status is not 200."""

    def __init__(self, status: int, location: str | None) -> None:
        super().__init__(f"the response status is {status}")
        self.status = status
        self.location = location
        """The target of a redirect."""


@frozen
class JwksResponse:
    """A response with status 200: an unparsed document, and the headers that date it."""

    document: bytes
    date: str | None
    """When the server made the response, by its own clock (RFC 9110 §6.6.1)."""
    age: str | None
    """How long the response has been in a cache (RFC 9111 §5.1)."""


@frozen
class HttpJwks:
    """The key set behind a URL."""

    client: httpx.AsyncClient
    url: str
    timeout: float = FETCH_TIMEOUT
    """Seconds for the whole exchange."""
    max_bytes: int = MAX_BYTES
    """Of the response's body."""

    async def __call__(self) -> dict[str, PublicKey]:
        """Fetch and parse the key set.

        Raises:
            JwksFetchError: there was no response in time, or it is not a usable key set.
        """
        response = await self.fetch()
        try:
            return parse_key_set(response.document)
        except (ValueError, RecursionError) as error:
            raise JwksFetchError("the response is not a usable key set") from error

    async def fetch(self) -> JwksResponse:
        """Fetch the document without parsing it.

        Raises:
            JwksFetchError: there was no complete response in time, or one that can't be a key set.
        """
        try:
            async with asyncio.timeout(self.timeout):
                return await self._read()
        except TimeoutError as error:
            raise JwksFetchError(f"no complete response within {self.timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise JwksFetchError(f"the request failed: {type(error).__name__}") from error
        except ValueError as error:  # httpx raises it for some malformed headers
            raise JwksFetchError("the response can't be parsed") from error

    async def _read(self) -> JwksResponse:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with self.client.stream("GET", self.url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise UnexpectedStatus(response.status_code, response.headers.get("Location"))
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise JwksFetchError("the response is compressed although identity was requested")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self.max_bytes:
                    raise JwksFetchError(f"the response is longer than {self.max_bytes} bytes")
            return JwksResponse(bytes(body), response.headers.get("Date"), response.headers.get("Age"))
