"""What was verified once is not verified again, and yet dies with its date or its key: R11, R15, R17, K5."""

import asyncio
from hashlib import sha256

import pytest

from adapters.tokens import jwt_verifier as module
from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from domain.errors import InvalidToken, KeysUnavailable
from domain.identity import Principal, UserId
from tests.support.fake_issuer import ManualTime, PublishedKeys, published, settle
from tests.support.rejections import ALICE
from tests.support.tokens import LIFETIME, Issuer

LEEWAY = 30
REPLACED = "The token's key has been replaced."


async def test_a_verified_token_is_accepted_again(verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys) -> None:
    token = issuer.token()
    for _ in range(3):
        assert await verifier.verify(token) == ALICE
    assert keys.asked == ["key-1"] * 3


async def test_what_was_judged_is_not_judged_again(verifier: JwtVerifier, issuer: Issuer, clock: ManualTime) -> None:
    token = issuer.token()
    assert await verifier.verify(token) == ALICE
    clock.advance(-3600)  # before the token was issued: nobody looks
    assert await verifier.verify(token) == ALICE
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.token(iat=clock() + 3600))


async def test_every_token_has_a_principal_of_its_own(verifier: JwtVerifier, issuer: Issuer) -> None:
    tokens = {name: issuer.token(name) for name in ("alice", "bob", "carol")}
    for name, token in [*tokens.items(), *tokens.items()]:
        assert await verifier.verify(token) == Principal(UserId(name))


async def test_a_remembered_token_expires(verifier: JwtVerifier, issuer: Issuer, clock: ManualTime) -> None:  # R15
    token = issuer.token()
    assert await verifier.verify(token) == ALICE
    clock.advance(LIFETIME + LEEWAY - 0.001)
    assert await verifier.verify(token) == ALICE
    clock.advance(0.001)
    for _ in range(2):
        with pytest.raises(InvalidToken) as refused:
            await verifier.verify(token)
        assert refused.value.reason == "The token has expired."


async def test_a_token_that_expires_while_its_key_is_fetched_is_refused(
    verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys, clock: ManualTime
) -> None:
    token = issuer.token()
    keys.gate = asyncio.Event()
    verifying = asyncio.create_task(verifier.verify(token))
    await settle()
    clock.advance(LIFETIME + LEEWAY)
    keys.gate.set()
    with pytest.raises(InvalidToken):
        await verifying


async def test_a_refused_token_is_not_remembered(verifier: JwtVerifier, issuer: Issuer, clock: ManualTime) -> None:
    early = issuer.token(iat=clock() + 60)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await verifier.verify(early)
    clock.advance(60)
    assert await verifier.verify(early) == ALICE


async def test_a_remembered_token_lends_nothing_to_a_forged_one(verifier: JwtVerifier, issuer: Issuer) -> None:  # R11
    token = issuer.token()
    assert await verifier.verify(token) == ALICE
    forger = Issuer.new(now=issuer.now)
    header, payload, _ = token.split(".")
    with pytest.raises(InvalidToken):
        await verifier.verify(forger.sign_segments(header, payload))
    for forged in (token[:-2] + ("AA" if token[-2:] != "AA" else "BA"), f"{token} ", f"{token}=", token.lower()):
        with pytest.raises(InvalidToken):
            await verifier.verify(forged)


class TestKeyChanges:
    """K5: a remembered token is worth no more than its key."""

    async def test_a_removed_key_takes_its_tokens_along(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.keys = published(Issuer.new("key-2"))
        with pytest.raises(InvalidToken):
            await verifier.verify(token)

    async def test_a_key_that_was_replaced_under_its_name_takes_its_tokens_along(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        successor = Issuer.new("key-1", now=issuer.now)
        keys.keys = published(successor)
        with pytest.raises(InvalidToken) as refused:
            await verifier.verify(token)
        assert refused.value.reason == REPLACED
        with pytest.raises(InvalidToken) as refused:
            await verifier.verify(token)
        assert refused.value.reason == "The token's signature does not match."
        assert await verifier.verify(successor.token()) == ALICE

    async def test_requests_at_once_with_a_replaced_key_are_all_refused(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:  # R17
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.keys, keys.gate = published(Issuer.new("key-1")), asyncio.Event()
        verifying = [asyncio.create_task(verifier.verify(token)) for _ in range(3)]
        await settle()
        keys.gate.set()
        for outcome in await asyncio.gather(*verifying, return_exceptions=True):
            assert isinstance(outcome, InvalidToken)

    async def test_a_token_that_was_forgotten_while_its_key_was_replaced_is_refused(
        self, keys: PublishedKeys, rules: ClaimRules, clock: ManualTime, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # R17
        monkeypatch.setattr(module, "CACHE_SIZE", 1)
        other = Issuer.new("key-2", now=clock)
        verifier = JwtVerifier(keys, rules, clock)
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.gate = asyncio.Event()
        verifying = asyncio.create_task(verifier.verify(token))
        await settle()
        gate, keys.gate, keys.keys = keys.gate, None, published(Issuer.new("key-1"), other)
        assert await verifier.verify(other.token("bob")) == Principal(UserId("bob"))
        gate.set()
        with pytest.raises(InvalidToken):
            await verifying

    async def test_the_same_key_fetched_anew_changes_nothing(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.keys = published(issuer, Issuer.new("key-2"))
        assert await verifier.verify(token) == ALICE

    async def test_without_keys_a_remembered_token_is_not_judged(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.failure = KeysUnavailable()
        with pytest.raises(KeysUnavailable):
            await verifier.verify(token)
        keys.failure = None
        assert await verifier.verify(token) == ALICE


class TestMemory:
    """What is kept, and how much of it."""

    async def test_no_token_is_kept_but_its_digest(self, verifier: JwtVerifier, issuer: Issuer) -> None:
        token = issuer.token()
        await verifier.verify(token)
        assert list(verifier._verified) == [sha256(token.encode()).digest()]
        assert not any(part in repr(verifier._verified) for part in token.split("."))

    async def test_the_token_used_longest_ago_is_forgotten_first(
        self, keys: PublishedKeys, rules: ClaimRules, clock: ManualTime, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "CACHE_SIZE", 2)
        verifier = JwtVerifier(keys, rules, clock)
        tokens = [issuer.token(f"user-{number}") for number in range(3)]
        for token in (tokens[0], tokens[1], tokens[0], tokens[2]):
            await verifier.verify(token)
        kept = [sha256(token.encode()).digest() for token in (tokens[0], tokens[2])]
        assert sorted(verifier._verified) == sorted(kept)
        for token in tokens:
            await verifier.verify(token)

    def test_a_flood_of_tokens_has_a_bound(self, verifier: JwtVerifier) -> None:
        assert verifier._verified.maxsize == module.CACHE_SIZE == 10_000
