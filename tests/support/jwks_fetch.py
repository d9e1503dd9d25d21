"""What a fetch makes of an answer."""

import pytest

from adapters.tokens.jwks import HttpJwks, JwksFetchError, PublicKey, key_set_client
from tests.support.fake_issuer import published
from tests.support.loopback_server import Answer, loopback, sending
from tests.support.tokens import Issuer, compact_json

ISSUER = Issuer.new()
DOCUMENT = compact_json(ISSUER.jwks())
KEYS = published(ISSUER)


async def fetched(url: str) -> dict[str, PublicKey]:
    async with key_set_client() as client:
        return await HttpJwks(client, url)()


async def failure_at(url: str) -> str:
    with pytest.raises(JwksFetchError) as failed:
        await fetched(url)
    return str(failed.value)


async def failure(answer: bytes | Answer) -> str:
    async with loopback(sending(answer) if isinstance(answer, bytes) else answer) as site:
        message = await failure_at(site.url)
        assert len(site.requests) == 1
        return message


async def success(answer: bytes) -> None:
    async with loopback(sending(answer)) as site:
        assert await fetched(site.url) == KEYS
