"""A token's form, checked before any key is looked up: R2, R3, R17.

Every token here has a valid signature: only its form is refused.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.tokens.jws import MALFORMED, MAX_LENGTH, ParsedJws, decode_base64url, parse_access_token
from adapters.tokens.jwt_verifier import JwtVerifier
from domain.errors import InvalidToken
from tests.support.json_cases import unhurried
from tests.support.rejections import ALICE, Refusals
from tests.support.tokens import Issuer, base64url, compact_json

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SIGNER = Issuer.new()
HEADER = compact_json({"alg": "EdDSA", "kid": "key-1"})


def respelled(segment: str) -> list[str]:
    """Other encodings of the same bytes, with other stray bits at the end; none when there are no stray bits."""
    unused = {0: 0, 2: 4, 3: 2}[len(segment) % 4]
    last = ALPHABET.index(segment[-1])
    return [segment[:-1] + ALPHABET[last | bits] for bits in range(1, 1 << unused)]


def odd(segment: str) -> str:
    """The segment with a length that no encoding has."""
    return segment + "A" * ((1 - len(segment)) % 4 or 4)


def of_length(issuer: Issuer, length: int) -> str:
    """A valid token of that length, padded with spaces after its JSON."""
    for spaces in range(3):
        header, payload = HEADER + b" " * spaces, compact_json(issuer.claims())
        shortest = len(issuer.sign(header, payload))
        for padding in range((length - shortest) * 3 // 4 - 2, (length - shortest) * 3 // 4 + 3):
            token = issuer.sign(header, payload + b" " * padding)
            if len(token) == length:
                return token
    raise AssertionError(length)


async def test_a_token_as_better_auth_makes_it_is_accepted(verifier: JwtVerifier, issuer: Issuer) -> None:
    assert await verifier.verify(issuer.token("alice")) == ALICE


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_a_well_formed_token_is_parsed(algorithm: str) -> None:
    token = SIGNER.sign(compact_json({"alg": algorithm, "kid": "key-1"}), b"any payload")
    assert parse_access_token(token) == ParsedJws(token, "key-1", b"any payload")


class TestShape(Refusals):
    """R2: the length is limited before decoding, the alphabet, three parts that are not empty."""

    async def test_the_longest_token_is_accepted(self) -> None:
        assert await self.verifier.verify(of_length(self.issuer, MAX_LENGTH)) == ALICE
        assert MAX_LENGTH == 8192

    async def test_a_longer_token_is_refused_unparsed(self) -> None:
        assert await self.refusal(of_length(self.issuer, MAX_LENGTH + 1)) == "The token is too long."

    @pytest.mark.parametrize("character", [".", "A", "\u00e9", "\ud800", "\0", "\U0001f511"])
    async def test_any_longer_text_is_refused_unparsed(self, character: str) -> None:
        assert await self.refusal(character * (MAX_LENGTH + 1)) == "The token is too long."

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "...",
            "a",
            "a.b",
            "a.b.",
            ".a.b",
            "a..b",
            "a.b.c.d",
            "a.b.c.d.e",
            "null",
            "\n",
            "\ud800",
            "a.b.\ud800",
        ],
    )
    async def test_a_text_without_three_segments_is_malformed(self, token: str) -> None:
        assert await self.refusal(token) == MALFORMED

    @pytest.mark.parametrize("before", ["", " ", "\n", "\0", ".", "\ufeff", "="])
    @pytest.mark.parametrize(
        "after", ["", " ", "\n", "\r\n", "\0", ".", "=", "==", "%", ",", "\u0661", "\u00e9", "\ud800"]
    )
    async def test_no_character_is_allowed_around_a_token(self, before: str, after: str) -> None:
        if before or after:
            assert await self.refusal(before + self.issuer.token() + after) == MALFORMED

    @pytest.mark.parametrize("put", [" ", "\n", "=", "+", "/", ".", "\0", "\u00e9", "\uff21", "\u0130", "~", "%2E"])
    async def test_no_other_character_is_allowed_in_a_segment(self, put: str) -> None:
        for number in range(3):
            segments = self.issuer.token().split(".")
            segments[number] = segments[number][:8] + put + segments[number][8:]
            assert await self.refusal(".".join(segments)) == MALFORMED

    async def test_a_part_may_not_be_empty(self) -> None:
        header, payload, signature = self.issuer.token().split(".")
        for token in (f".{payload}.{signature}", f"{header}..{signature}", f"{header}.{payload}."):
            assert await self.refusal(token) == MALFORMED

    async def test_an_encrypted_token_is_malformed(self) -> None:  # R12: no JWE
        header = base64url(compact_json({"alg": "dir", "enc": "A256GCM", "kid": "key-1"}))
        assert await self.refusal(f"{header}.a.aXY.Y2lwaGVy.dGFn") == MALFORMED


class TestBase64url(Refusals):
    """R3: one encoding for one value, in all three parts."""

    @pytest.mark.parametrize("spaces", [0, 1, 2])
    async def test_stray_bits_at_the_end_of_header_or_payload_are_refused(self, spaces: int) -> None:
        header = HEADER + b" " * spaces
        payload = compact_json(self.issuer.claims()) + b" " * spaces
        whole_header, whole_payload = base64url(header), base64url(payload)
        for other in respelled(whole_header):
            assert await self.refusal(self.issuer.sign_segments(other, whole_payload)) == MALFORMED
        for other in respelled(whole_payload):
            assert await self.refusal(self.issuer.sign_segments(whole_header, other)) == MALFORMED

    async def test_stray_bits_at_the_end_of_a_signature_are_refused(self) -> None:
        signing_input, _, signature = self.issuer.token().rpartition(".")
        others = respelled(signature)
        assert len(others) == 15
        for other in others:
            assert await self.refusal(f"{signing_input}.{other}") == MALFORMED

    async def test_a_length_that_no_encoding_has_is_refused(self) -> None:
        header, payload, signature = self.issuer.token().split(".")
        assert await self.refusal(f"{header}.{payload}.{odd(signature)}") == MALFORMED
        assert await self.refusal(self.issuer.sign_segments(odd(header), payload)) == MALFORMED
        assert await self.refusal(self.issuer.sign_segments(header, odd(payload))) == MALFORMED

    async def test_signed_padding_is_refused(self) -> None:
        header, payload, _ = self.issuer.token().split(".")
        assert (
            await self.refusal(self.issuer.sign_segments(header + "=" * (-len(header) % 4 or 4), payload)) == MALFORMED
        )
        assert (
            await self.refusal(self.issuer.sign_segments(header, payload + "=" * (-len(payload) % 4 or 4))) == MALFORMED
        )

    async def test_the_other_alphabet_is_refused_although_signed(self) -> None:
        claims = compact_json(self.issuer.claims() | {"name": "~~~???>>>~~~???>>>"})
        payload = base64url(b" " * 2 + claims)
        assert {"-", "_"} & set(payload)
        header = base64url(HEADER)
        assert await self.verifier.verify(self.issuer.sign_segments(header, payload)) == ALICE
        self.keys.asked.clear()
        other = payload.replace("-", "+").replace("_", "/")
        assert await self.refusal(self.issuer.sign_segments(header, other)) == MALFORMED

    @pytest.mark.parametrize(
        "text",
        [
            "Zg==",
            "Zm8=",
            "Z",
            "Zh",
            "Zm9",
            "Zm9vY",
            "+_8",
            "__//",
            "a+b/",
            " Zg",
            "Zg\n",
            "Z g",
            "=",
            "Zé",
            "\uff3a\uff47",
            "\ud800",
        ],
    )
    def test_a_non_canonical_encoding_does_not_decode(self, text: str) -> None:
        with pytest.raises(ValueError):
            decode_base64url(text)

    @unhurried
    @given(st.binary(max_size=80))
    @example(b"\xfb\xff\xfe")
    @example(b"\0\0\x17")  # AAAX
    def test_every_value_decodes_from_its_canonical_encoding(self, data: bytes) -> None:
        assert decode_base64url(base64url(data)) == data

    @unhurried
    @given(st.text(st.sampled_from("ABgwxyz089-_+/=. \n"), max_size=12))
    def test_no_two_texts_decode_to_one_value(self, text: str) -> None:
        try:
            data = decode_base64url(text)
        except ValueError:
            return
        assert base64url(data) == text


class TestAnything:
    """R17: any input is refused, and raises no other error."""

    @unhurried
    @given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
    def test_any_text_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidToken):
            parse_access_token(text)

    @unhurried
    @given(st.binary(), st.binary())
    def test_any_signed_bytes_are_refused(self, header: bytes, payload: bytes) -> None:
        with pytest.raises(InvalidToken):
            parse_access_token(SIGNER.sign(header, payload))
