"""A published key set (RFC 7517) and the keys in it that we can use: Ed25519, for signatures."""

import asyncio
import logging
import ssl
from collections import Counter
from typing import Any, Final

import httpx
from attrs import field, frozen
from joserfc.jwk import OKPKey

from adapters.tokens.jws import MAX_KID, decode_base64url, decode_json_object

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


DEADLINE: Final = 5.0
"""Seconds for the whole exchange; httpx's own time-outs start anew with every byte that drips in."""
MAX_BYTES: Final = 256 * 1024


def key_set_client() -> httpx.AsyncClient:
    """A client that follows no redirect and asks no proxy; it trusts the system's certificates."""
    return httpx.AsyncClient(
        verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, timeout=DEADLINE
    )


class JwksFetchError(Exception):
    """The issuer didn't answer with a key set; the message says what it did."""


class UnexpectedStatus(JwksFetchError):
    """The issuer answered, but not with 200."""

    def __init__(self, status: int, location: str | None) -> None:
        super().__init__(f"the answer's status is {status}")
        self.status = status
        self.location = location
        """Where a redirect would lead."""


@frozen
class JwksResponse:
    """What came with 200: perhaps a key set, and what its header says of its time."""

    document: bytes
    date: str | None
    """When it was made, by the server's clock (RFC 9110 §6.6.1)."""
    age: str | None
    """A cache's word on how long it has lain there (RFC 9111 §5.1)."""


@frozen
class HttpJwks:
    """The key set behind a URL."""

    client: httpx.AsyncClient
    url: str

    async def __call__(self) -> dict[str, PublicKey]:
        """Fetch and parse it.

        Raises:
            JwksFetchError: there was no answer in time, or it was no usable key set.
        """
        answer = await self.fetch()
        try:
            return parse_key_set(answer.document)
        except (ValueError, RecursionError) as error:
            raise JwksFetchError("the answer is no usable key set") from error

    async def fetch(self) -> JwksResponse:
        """Fetch it, whatever it says.

        Raises:
            JwksFetchError: there was no whole answer in time, or not one that could be a key set.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._read()
        except TimeoutError as error:
            raise JwksFetchError(f"no whole answer within {DEADLINE:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise JwksFetchError(f"the request failed: {type(error).__name__}") from error
        except ValueError as error:  # httpx gives up on some headers with one
            raise JwksFetchError("the answer can't be read") from error

    async def _read(self) -> JwksResponse:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with self.client.stream("GET", self.url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise UnexpectedStatus(response.status_code, response.headers.get("Location"))
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise JwksFetchError("the answer is compressed, unasked")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise JwksFetchError(f"the answer is longer than {MAX_BYTES} bytes")
            return JwksResponse(bytes(body), response.headers.get("Date"), response.headers.get("Age"))
