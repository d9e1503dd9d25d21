"""A token's signature: R6, R11, R17."""

import hashlib
import json
import logging
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.errors import JoseError

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks import parse_key_set
from adapters.tokens.jws import ED25519, MALFORMED
from adapters.tokens.jwt_verifier import JwtVerifier
from domain.errors import InvalidToken, KeysUnavailable
from tests.support.fake_issuer import ManualTime, PublishedKeys, published
from tests.support.json_cases import unhurried
from tests.support.rejections import ALICE
from tests.support.tokens import AUDIENCE, ISSUER, Issuer, base64url, compact_json

MISMATCH = "The token's signature does not match."
LENGTH = "The token's signature is not an Ed25519 signature."
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of Ed25519's base point (RFC 8032 5.1)."""
CLOCK = ManualTime()
SIGNER = Issuer.new(now=CLOCK)
HEADER = compact_json({"alg": "EdDSA", "kid": "key-1"})


def verifier_of(*issuers: Issuer) -> JwtVerifier:
    return JwtVerifier(PublishedKeys(published(*issuers)), ClaimRules(issuer=ISSUER, audience=AUDIENCE), CLOCK)


async def refusal(token: str, *issuers: Issuer) -> str:
    with pytest.raises(InvalidToken) as refused:
        await verifier_of(*(issuers or (SIGNER,))).verify(token)
    return refused.value.reason


def signature_of(token: str) -> bytes:
    return urlsafe_b64decode(token.rpartition(".")[2] + "==")


def with_signature(token: str, signature: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{base64url(signature)}"


class TestSignature:
    """R11: 64 bytes, by the named key over exactly this header and payload."""

    async def test_a_token_signed_with_a_key_outside_the_set_is_refused(self) -> None:
        stranger = Issuer.new("key-2", now=CLOCK)
        with pytest.raises(InvalidToken):
            await verifier_of(SIGNER).verify(stranger.token())

    async def test_another_keys_signature_under_a_known_kid_is_refused(self) -> None:
        assert await refusal(Issuer.new("key-1", now=CLOCK).token()) == MISMATCH

    async def test_only_the_named_key_verifies(self) -> None:
        first, second = Issuer.new("a", now=CLOCK), Issuer.new("b", now=CLOCK)
        assert await verifier_of(first, second).verify(first.token()) == ALICE
        assert await verifier_of(first, second).verify(second.token()) == ALICE
        assert await refusal(first.token(header={"kid": "b"}), first, second) == MISMATCH

    @pytest.mark.parametrize("length", [1, 31, 32, 48, 63, 65, 96, 114, 128])
    async def test_a_signature_of_another_length_is_refused(self, length: int) -> None:
        token = SIGNER.token()
        longest = signature_of(token) * 2
        assert await refusal(with_signature(token, longest[:length])) == LENGTH

    @pytest.mark.parametrize("byte", [0x00, 0x01, 0x80, 0xFF])
    async def test_a_signature_of_one_byte_repeated_is_refused(self, byte: int) -> None:
        assert await refusal(with_signature(SIGNER.token(), bytes([byte]) * 64)) == MISMATCH

    @pytest.mark.parametrize("times", [1, 2, 3, 7])
    async def test_a_signature_has_only_one_encoding(self, times: int) -> None:  # RFC 8032 5.1.7: S < L
        token = SIGNER.token()
        signature = signature_of(token)
        scalar = int.from_bytes(signature[32:], "little") + times * ORDER
        assert await refusal(with_signature(token, signature[:32] + scalar.to_bytes(32, "little"))) == MISMATCH

    async def test_a_signature_does_not_move_to_another_token(self) -> None:
        alices, bobs = SIGNER.token("alice"), SIGNER.token("bob")
        assert await refusal(with_signature(alices, signature_of(bobs))) == MISMATCH
        header, _, signature = alices.split(".")
        assert await refusal(f"{header}.{bobs.split('.')[1]}.{signature}") == MISMATCH

    async def test_the_header_is_signed_too(self) -> None:
        _, payload, signature = SIGNER.token().split(".")
        for other in (
            {"alg": "Ed25519", "kid": "key-1"},
            {"kid": "key-1", "alg": "EdDSA"},
            {"alg": "EdDSA", "kid": "key-1", "typ": "JWT"},
        ):
            assert await refusal(f"{base64url(compact_json(other))}.{payload}.{signature}") == MISMATCH

    async def test_a_signature_over_a_digest_is_refused(self) -> None:  # Ed25519 and Ed25519ph differ
        token = SIGNER.token()
        digest = hashlib.sha512(token.rpartition(".")[0].encode()).digest()
        assert await refusal(with_signature(token, SIGNER.signature(digest))) == MISMATCH

    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": 0},
            {"iss": "other"},
            {"aud": "other"},
            {"sub": None},
            {"events": {}},
            {"nbf": "text"},
            {"iat": 1e300},
        ],
    )
    async def test_no_claim_is_checked_before_the_signature(self, claims: dict[str, object]) -> None:
        assert await refusal(Issuer.new(now=CLOCK).token(claims=claims)) == MISMATCH

    @pytest.mark.parametrize("payload", [b"no JSON", b"[]", b"[" * 4000, b"\xff"])
    async def test_no_payload_is_decoded_before_the_signature(self, payload: bytes) -> None:
        assert await refusal(Issuer.new(now=CLOCK).sign(HEADER, payload)) == MISMATCH


class TestFlippedCharacters:
    """R3, R11: no character of a token can be changed, removed or added."""

    TOKEN = SIGNER.token()
    ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    async def test_no_last_character_of_a_segment_can_be_changed(self) -> None:
        for end in (self.TOKEN.index(".") - 1, self.TOKEN.rindex(".") - 1, len(self.TOKEN) - 1):
            for other in set(self.ALPHABET) - {self.TOKEN[end]}:
                await refusal(self.TOKEN[:end] + other + self.TOKEN[end + 1 :])

    async def test_no_character_can_be_removed(self) -> None:
        for position in range(len(self.TOKEN)):
            await refusal(self.TOKEN[:position] + self.TOKEN[position + 1 :])

    @unhurried
    @given(st.integers(0, len(TOKEN) - 1), st.sampled_from(ALPHABET + ".=+/ \n%") | st.characters())
    async def test_no_character_can_be_changed(self, position: int, other: str) -> None:
        if other != self.TOKEN[position]:
            await refusal(self.TOKEN[:position] + other + self.TOKEN[position + 1 :])

    @unhurried
    @given(st.integers(0, len(TOKEN)), st.sampled_from(ALPHABET + ".=+/ \n%") | st.characters())
    async def test_no_character_can_be_added(self, position: int, other: str) -> None:
        await refusal(self.TOKEN[:position] + other + self.TOKEN[position:])


class TestAlgorithm:
    """R6: EdDSA means Ed25519 here, and never Ed448."""

    @pytest.mark.parametrize("published_as", ["EdDSA", "Ed25519"])
    @pytest.mark.parametrize("signed_as", ["EdDSA", "Ed25519"])
    async def test_the_two_names_are_one_algorithm(self, published_as: str, signed_as: str) -> None:
        keys = parse_key_set(json.dumps({"keys": [SIGNER.jwk(alg=published_as)]}).encode())
        verifier = JwtVerifier(PublishedKeys(keys), ClaimRules(issuer=ISSUER, audience=AUDIENCE), CLOCK)
        assert await verifier.verify(SIGNER.token(header={"alg": signed_as})) == ALICE

    async def test_an_ed448_signature_is_refused(self) -> None:
        token = SIGNER.token()
        signature = Ed448PrivateKey.generate().sign(token.rpartition(".")[0].encode())
        assert await refusal(with_signature(token, signature)) == LENGTH

    @pytest.mark.parametrize("name", ["Ed448", "HS256", "none", "ES256", "RS256", "eddsa", "ed25519", ""])
    def test_the_library_accepts_no_other_algorithm(self, name: str) -> None:
        with pytest.raises(JoseError):
            ED25519.get_alg(name)


class TestFaults:
    """R17: a token that makes a parser fail is refused and logged; missing keys refuse no token."""

    @pytest.mark.parametrize(
        ("payload", "errors"),
        [
            (b"[" * 5000, {"RecursionError", "JSONDecodeError"}),  # the interpreter decides which depth is too much
            (b"\xff", {"UnicodeDecodeError"}),
            (b'{"a":' + b"9" * 5000 + b"}", {"ValueError"}),
        ],
    )
    async def test_a_parser_failure_is_logged_without_the_token(
        self, payload: bytes, errors: set[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        token = SIGNER.sign(HEADER, payload)
        with caplog.at_level(logging.WARNING):
            assert await refusal(token) == MALFORMED
        (record,) = caplog.records
        assert record.message == "parsing a signed token failed"
        assert record.__dict__["error"] in errors
        assert not any(part in str(record.__dict__) for part in token.split("."))

    @pytest.mark.parametrize(
        "claims", [{"exp": 0}, {"iss": "other"}, {"sub": "a\nb"}, {"exp": 10**400}, {"iat": -(10**400)}]
    )
    async def test_an_ordinary_refusal_is_not_logged(
        self, claims: dict[str, object], caplog: pytest.LogCaptureFixture
    ) -> None:
        await refusal(SIGNER.token(claims=claims))
        assert caplog.records == []

    @pytest.mark.parametrize("token", [SIGNER.token(), SIGNER.token(exp=0), Issuer.new(now=CLOCK).token()])
    async def test_without_keys_no_well_formed_token_is_refused(self, token: str) -> None:  # K6
        keys = PublishedKeys({}, failure=KeysUnavailable(retry_after=7))
        verifier = JwtVerifier(keys, ClaimRules(issuer=ISSUER, audience=AUDIENCE), CLOCK)
        with pytest.raises(KeysUnavailable) as unavailable:
            await verifier.verify(token)
        assert unavailable.value.retry_after == 7

    @pytest.mark.parametrize(
        "token", ["", "a.b.c", "a" * 9000, SIGNER.token(header={"alg": "none"}), SIGNER.token(header={"crit": []})]
    )
    async def test_without_keys_a_malformed_token_is_still_refused(self, token: str) -> None:  # K6
        keys = PublishedKeys({}, failure=KeysUnavailable())
        verifier = JwtVerifier(keys, ClaimRules(issuer=ISSUER, audience=AUDIENCE), CLOCK)
        with pytest.raises(InvalidToken):
            await verifier.verify(token)
        assert keys.asked == []
