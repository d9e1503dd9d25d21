"""A verified token is cached until it expires or its key is replaced: R11, R15, R17, K5."""

import asyncio
from hashlib import sha256

import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks_cache import JwksCache, JwksCacheConfig
from adapters.tokens.jwt_verifier import CACHE_SIZE, JwtVerifier
from domain.errors import InvalidToken, KeysUnavailable
from domain.identity import Principal, UserId
from tests.support.fake_issuer import ManualTime, PublishedKeys, ScriptedFetch, published, settle
from tests.support.rejections import ALICE
from tests.support.tokens import LIFETIME, Issuer

LEEWAY = 30
REPLACED = "The token's key has been replaced."


async def test_a_verified_token_is_accepted_again(verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys) -> None:
    token = issuer.token()
    for _ in range(3):
        assert await verifier.verify(token) == ALICE
    assert keys.asked == ["key-1"] * 3


async def test_a_verified_token_is_not_validated_again(
    verifier: JwtVerifier, issuer: Issuer, clock: ManualTime
) -> None:
    token = issuer.token()
    assert await verifier.verify(token) == ALICE
    clock.advance(-3600)  # before the token was issued, which is not checked again
    assert await verifier.verify(token) == ALICE
    with pytest.raises(InvalidToken):
        await verifier.verify(issuer.token(iat=clock() + 3600))


async def test_every_token_has_a_principal_of_its_own(verifier: JwtVerifier, issuer: Issuer) -> None:
    tokens = {name: issuer.token(name) for name in ("alice", "bob", "carol")}
    for name, token in [*tokens.items(), *tokens.items()]:
        assert await verifier.verify(token) == Principal(UserId(name))


async def test_a_cached_token_expires(verifier: JwtVerifier, issuer: Issuer, clock: ManualTime) -> None:  # R15
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


async def test_a_refused_token_is_not_cached(verifier: JwtVerifier, issuer: Issuer, clock: ManualTime) -> None:
    early = issuer.token(iat=clock() + 60)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await verifier.verify(early)
    clock.advance(60)
    assert await verifier.verify(early) == ALICE


async def test_a_cached_token_does_not_validate_a_forged_one(verifier: JwtVerifier, issuer: Issuer) -> None:  # R11
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
    """K5: a cached token is valid only as long as its key."""

    async def test_the_tokens_of_a_removed_key_are_refused(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.keys = published(Issuer.new("key-2"))
        with pytest.raises(InvalidToken):
            await verifier.verify(token)

    async def test_the_tokens_of_a_replaced_key_are_refused(
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

    async def test_concurrent_requests_with_a_replaced_key_are_all_refused(
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

    async def test_a_token_that_was_evicted_while_its_key_was_replaced_is_refused(
        self, keys: PublishedKeys, rules: ClaimRules, clock: ManualTime, issuer: Issuer
    ) -> None:  # R17
        other = Issuer.new("key-2", now=clock)
        verifier = JwtVerifier(keys, rules, clock, cache_size=1)
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

    async def test_the_same_key_fetched_again_changes_nothing(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.keys = published(issuer, Issuer.new("key-2"))
        assert await verifier.verify(token) == ALICE

    async def test_without_keys_a_cached_token_is_not_accepted(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        assert await verifier.verify(token) == ALICE
        keys.failure = KeysUnavailable()
        with pytest.raises(KeysUnavailable):
            await verifier.verify(token)
        keys.failure = None
        assert await verifier.verify(token) == ALICE


class TestRemembered:
    """`remembered`: the cached result of `verify`, without waiting."""

    async def test_it_equals_the_verified_principal(self, verifier: JwtVerifier, issuer: Issuer) -> None:
        for token in (issuer.token(), issuer.token("bob", sid="s-1")):
            verified = await verifier.verify(token)
            remembered = verifier.remembered(token.encode())
            assert remembered == verified
            assert remembered is not None
            assert (remembered.session_id, remembered.issued_at) == (verified.session_id, verified.issued_at)

    async def test_a_token_that_was_never_verified_is_not_remembered(
        self, verifier: JwtVerifier, issuer: Issuer
    ) -> None:
        assert verifier.remembered(issuer.token().encode()) is None
        token = issuer.token()
        await verifier.verify(token)
        forged = Issuer.new(now=issuer.now).sign_segments(*token.split(".")[:2])
        for other in (
            forged,
            issuer.token("bob"),
            f"{token} ",
            f"{token}=",
            token.lower(),
            token[:-1],
            "",
            "\xff",
            "x" * 9000,
        ):
            assert verifier.remembered(other.encode("latin-1")) is None

    async def test_a_refused_token_is_not_remembered(self, verifier: JwtVerifier, issuer: Issuer) -> None:
        forged = Issuer.new(now=issuer.now).token()
        with pytest.raises(InvalidToken):
            await verifier.verify(forged)
        assert verifier.remembered(forged.encode()) is None

    async def test_an_evicted_token_is_not_remembered(
        self, keys: PublishedKeys, rules: ClaimRules, clock: ManualTime, issuer: Issuer
    ) -> None:
        verifier = JwtVerifier(keys, rules, clock, cache_size=2)
        tokens = [issuer.token(f"user-{number}") for number in range(3)]
        await verifier.verify(tokens[0])
        await verifier.verify(tokens[1])
        assert verifier.remembered(tokens[0].encode()) is not None  # and counts as a use
        await verifier.verify(tokens[2])
        assert [verifier.remembered(token.encode()) is not None for token in tokens] == [True, False, True]

    async def test_an_expired_token_is_refused_as_by_verify(
        self, verifier: JwtVerifier, issuer: Issuer, clock: ManualTime
    ) -> None:  # R15
        token = issuer.token()
        await verifier.verify(token)
        clock.advance(LIFETIME + LEEWAY - 0.001)
        assert verifier.remembered(token.encode()) == ALICE
        clock.advance(0.001)
        for _ in range(2):
            with pytest.raises(InvalidToken) as refused:
                verifier.remembered(token.encode())
            assert refused.value.reason == "The token has expired."

    @pytest.mark.parametrize("successor", ["key-1", "key-2"])
    async def test_a_token_of_a_replaced_or_removed_key_is_not_remembered(
        self, successor: str, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:  # K5
        token = issuer.token()
        await verifier.verify(token)
        keys.keys = published(Issuer.new(successor))
        assert verifier.remembered(token.encode()) is None
        with pytest.raises(InvalidToken):
            await verifier.verify(token)

    async def test_an_expired_token_of_a_replaced_key_is_left_to_verify(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys, clock: ManualTime
    ) -> None:
        token = issuer.token()
        await verifier.verify(token)
        keys.keys = published(Issuer.new("key-1"))
        clock.advance(LIFETIME + LEEWAY)
        assert verifier.remembered(token.encode()) is None

    async def test_the_same_key_fetched_again_changes_nothing(
        self, verifier: JwtVerifier, issuer: Issuer, keys: PublishedKeys
    ) -> None:
        token = issuer.token()
        await verifier.verify(token)
        keys.keys = published(issuer, Issuer.new("key-2"))
        assert verifier.remembered(token.encode()) == ALICE

    async def test_when_a_refresh_of_the_keys_is_due_no_token_is_remembered(
        self, rules: ClaimRules, clock: ManualTime, issuer: Issuer
    ) -> None:
        fetch, monotonic = ScriptedFetch(published(issuer)), ManualTime(0.0)
        verifier = JwtVerifier(JwksCache(fetch, JwksCacheConfig(ttl=100), monotonic), rules, clock)
        token = issuer.token()
        await verifier.verify(token)
        monotonic.advance(79.9)
        assert verifier.remembered(token.encode()) == ALICE
        monotonic.advance(0.1)
        assert verifier.remembered(token.encode()) is None
        await settle()
        assert fetch.calls == 1, "only verify starts the refresh"
        assert await verifier.verify(token) == ALICE
        await settle()
        assert fetch.calls == 2
        assert verifier.remembered(token.encode()) == ALICE


class TestMemory:
    """What the cache keeps, and its limit."""

    async def test_only_the_digest_of_a_token_is_kept(self, verifier: JwtVerifier, issuer: Issuer) -> None:
        token = issuer.token()
        await verifier.verify(token)
        assert list(verifier._cache) == [sha256(token.encode()).digest()]
        assert not any(part in repr(verifier._cache) for part in token.split("."))

    async def test_the_least_recently_used_token_is_evicted_first(
        self, keys: PublishedKeys, rules: ClaimRules, clock: ManualTime, issuer: Issuer
    ) -> None:
        verifier = JwtVerifier(keys, rules, clock, cache_size=2)
        tokens = [issuer.token(f"user-{number}") for number in range(3)]
        for token in (tokens[0], tokens[1], tokens[0], tokens[2]):
            await verifier.verify(token)
        kept = [sha256(token.encode()).digest() for token in (tokens[0], tokens[2])]
        assert sorted(verifier._cache) == sorted(kept)
        for token in tokens:
            await verifier.verify(token)

    def test_the_cache_has_a_limit(self, verifier: JwtVerifier) -> None:
        assert verifier._cache.maxsize == CACHE_SIZE == 10_000
