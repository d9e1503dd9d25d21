"""One request for the issuer's key set, bounded in every way."""

import asyncio
import ssl
from typing import Final

import httpx
from attrs import frozen

from adapters.tokens.keys import PublicKey, parse_key_set
from adapters.tokens.remote_keys import KeySetNotFetched

DEADLINE: Final = 5.0
"""Seconds for the whole exchange; httpx's own time-outs start anew with every byte that drips in."""
MAX_BYTES: Final = 256 * 1024


def key_set_client() -> httpx.AsyncClient:
    """A client that follows no redirect and asks no proxy; it trusts the system's certificates."""
    return httpx.AsyncClient(
        verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, timeout=DEADLINE
    )


@frozen
class HttpKeySet:
    """The key set behind a URL."""

    client: httpx.AsyncClient
    url: str

    async def __call__(self) -> dict[str, PublicKey]:
        """Fetch and parse it.

        Raises:
            KeySetNotFetched: there was no answer in time, or it was no usable key set.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                return parse_key_set(await self._read())
        except TimeoutError as error:
            raise KeySetNotFetched(f"no whole answer within {DEADLINE:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise KeySetNotFetched(f"the request failed: {type(error).__name__}") from error
        except (ValueError, RecursionError) as error:
            raise KeySetNotFetched("the answer is no usable key set") from error

    async def _read(self) -> bytes:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with self.client.stream("GET", self.url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise KeySetNotFetched(f"the answer's status is {response.status_code}")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise KeySetNotFetched("the answer is compressed, unasked")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise KeySetNotFetched(f"the answer is longer than {MAX_BYTES} bytes")
            return bytes(body)
