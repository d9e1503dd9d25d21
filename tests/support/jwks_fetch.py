"""Fetches of the key set from a loopback server, and their results."""

import pytest

from adapters.tokens.jwks import FETCH_TIMEOUT, HttpJwks, JwksFetchError, PublicKey, key_set_client
from tests.support.fake_issuer import published
from tests.support.loopback_server import Responder, loopback, sending
from tests.support.tokens import Issuer, compact_json

ISSUER = Issuer.new()
DOCUMENT = compact_json(ISSUER.jwks())
KEYS = published(ISSUER)


async def fetched(url: str, *, deadline: float = FETCH_TIMEOUT) -> dict[str, PublicKey]:
    async with key_set_client() as client:
        return await HttpJwks(client, url, timeout=deadline)()


async def failure_at(url: str, *, deadline: float = FETCH_TIMEOUT) -> str:
    with pytest.raises(JwksFetchError) as failed:
        await fetched(url, deadline=deadline)
    return str(failed.value)


async def failure(response: bytes | Responder, *, deadline: float = FETCH_TIMEOUT) -> str:
    async with loopback(sending(response) if isinstance(response, bytes) else response) as site:
        message = await failure_at(site.url, deadline=deadline)
        assert len(site.requests) == 1
        return message


async def success(response: bytes) -> None:
    async with loopback(sending(response)) as site:
        assert await fetched(site.url) == KEYS
