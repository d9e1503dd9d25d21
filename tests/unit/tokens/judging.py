"""Tokens of one issuer, and what becomes of them at one instant."""

import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.verifier import JwtVerifier
from domain.errors import InvalidToken
from domain.identity import Principal
from tests.tokens import AUDIENCE, ISSUER, Issuer, compact_json
from tests.unit.tokens.stand_ins import HandClock, PublishedKeys, published

CLOCK = HandClock()
SIGNER = Issuer.new(now=CLOCK)
HEADER = compact_json({"alg": "EdDSA", "kid": "key-1"})
NOW = int(CLOCK())


async def verify(token: str, *, now: float = NOW, rules: ClaimRules | None = None) -> Principal:
    keys = PublishedKeys(published(SIGNER))
    rules = rules or ClaimRules(issuer=ISSUER, audience=AUDIENCE)
    return await JwtVerifier(keys, rules, HandClock(now)).verify(token)


async def refusal(token: str, *, now: float = NOW, rules: ClaimRules | None = None) -> str:
    with pytest.raises(InvalidToken) as refused:
        await verify(token, now=now, rules=rules)
    return refused.value.reason
