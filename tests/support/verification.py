"""Verify tokens of one issuer at a fixed time."""

import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from domain.errors import InvalidToken
from domain.identity import Principal
from tests.support.fake_issuer import ManualTime, PublishedKeys, published
from tests.support.tokens import AUDIENCE, ISSUER, Issuer, compact_json

CLOCK = ManualTime()
SIGNER = Issuer.new(now=CLOCK)
HEADER = compact_json({"alg": "EdDSA", "kid": "key-1"})
NOW = int(CLOCK())


async def verify(token: str, *, now: float = NOW, rules: ClaimRules | None = None) -> Principal:
    keys = PublishedKeys(published(SIGNER))
    rules = rules or ClaimRules(issuer=ISSUER, audience=AUDIENCE)
    return await JwtVerifier(keys, rules, ManualTime(now)).verify(token)


async def refusal(token: str, *, now: float = NOW, rules: ClaimRules | None = None) -> str:
    with pytest.raises(InvalidToken) as refused:
        await verify(token, now=now, rules=rules)
    return refused.value.reason
