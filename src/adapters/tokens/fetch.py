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


class UnexpectedStatus(KeySetNotFetched):
    """The issuer answered, but not with 200."""

    def __init__(self, status: int, location: str | None) -> None:
        super().__init__(f"the answer's status is {status}")
        self.status = status
        self.location = location
        """Where a redirect would lead."""


@frozen
class Answer:
    """What came with 200: perhaps a key set, and what its header says of its time."""

    document: bytes
    date: str | None
    """When it was made, by the server's clock (RFC 9110 §6.6.1)."""
    age: str | None
    """A cache's word on how long it has lain there (RFC 9111 §5.1)."""


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
        answer = await self.ask()
        try:
            return parse_key_set(answer.document)
        except (ValueError, RecursionError) as error:
            raise KeySetNotFetched("the answer is no usable key set") from error

    async def ask(self) -> Answer:
        """Fetch it, whatever it says.

        Raises:
            KeySetNotFetched: there was no whole answer in time, or not one that could be a key set.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._read()
        except TimeoutError as error:
            raise KeySetNotFetched(f"no whole answer within {DEADLINE:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise KeySetNotFetched(f"the request failed: {type(error).__name__}") from error
        except ValueError as error:  # httpx gives up on some headers with one
            raise KeySetNotFetched("the answer can't be read") from error

    async def _read(self) -> Answer:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with self.client.stream("GET", self.url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise UnexpectedStatus(response.status_code, response.headers.get("Location"))
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise KeySetNotFetched("the answer is compressed, unasked")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise KeySetNotFetched(f"the answer is longer than {MAX_BYTES} bytes")
            return Answer(bytes(body), response.headers.get("Date"), response.headers.get("Age"))
