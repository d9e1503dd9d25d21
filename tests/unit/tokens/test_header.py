"""A token's header, checked before any key is looked up: R4, R5, R7 to R10.

Every token here has a valid signature: only its header is refused.
"""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tokens.jws import MALFORMED, decode_json_object, parse_access_token
from domain.errors import InvalidToken
from tests.support.fake_issuer import published
from tests.support.json_cases import BAD_MEMBERS, JSON, NOT_ONE_OBJECT, WRONG_ENCODINGS, short, unhurried
from tests.support.rejections import ALICE, Refusals
from tests.support.tokens import ABSENT, Issuer, base64url, compact_json

SIGNER = Issuer.new()
ALGORITHM = "The token's algorithm is not accepted: EdDSA or Ed25519."
MEMBER = "The token's header has a member that is not accepted."


class TestHeaderJson(Refusals):
    """R4: strict UTF-8, one JSON object, unique members, finite numbers; anything else is 401, never 500."""

    @pytest.mark.parametrize("header", NOT_ONE_OBJECT, ids=short)
    async def test_a_header_that_is_not_an_object_is_malformed(self, header: bytes) -> None:
        assert await self.refusal(self.issuer.sign(header, compact_json(self.issuer.claims()))) == MALFORMED

    @pytest.mark.parametrize("member", BAD_MEMBERS, ids=short)
    async def test_a_header_that_is_not_strict_json_is_malformed(self, member: bytes) -> None:
        header = b'{"alg":"EdDSA","kid":"key-1",' + member + b"}"
        assert await self.refusal(self.issuer.sign(header, compact_json(self.issuer.claims()))) == MALFORMED

    @pytest.mark.parametrize(
        "header",
        [
            b'{"alg":"none","alg":"EdDSA","kid":"key-1"}',
            b'{"alg":"EdDSA","alg":"none","kid":"key-1"}',
            b'{"alg":"EdDSA","kid":"key-1","kid":"key-1"}',
            b'{"alg":"EdDSA","kid":"key-1","\\u006bid":"key-2"}',
        ],
    )
    async def test_a_duplicate_member_is_malformed(self, header: bytes) -> None:
        assert await self.refusal(self.issuer.sign(header, compact_json(self.issuer.claims()))) == MALFORMED

    @pytest.mark.parametrize("encoding", WRONG_ENCODINGS)
    async def test_a_header_in_another_encoding_is_malformed(self, encoding: str) -> None:
        header = '{"alg":"EdDSA","kid":"key-1","x5t":"\u00e9"}'.encode(encoding)
        assert await self.refusal(self.issuer.sign(header, compact_json(self.issuer.claims()))) == MALFORMED

    async def test_white_space_and_escapes_are_accepted(self) -> None:
        header = b' {\n"alg" : "\\u0045dDSA",\t"kid":"key\\u002d1" }\r\n'
        assert await self.verifier.verify(self.issuer.sign(header, compact_json(self.issuer.claims()))) == ALICE

    @pytest.mark.parametrize("members", [{"x5t": "digest"}, {"cty": "json"}, {"x-ours": 1}, {"nonce": "n", "url": {}}])
    async def test_an_unknown_member_is_ignored(self, members: dict[str, object]) -> None:  # RFC 7515 4
        assert await self.verifier.verify(self.issuer.token(header=members)) == ALICE

    @unhurried
    @given(st.dictionaries(st.text(), JSON))
    def test_strict_json_is_decoded(self, document: dict[str, object]) -> None:
        try:
            text = json.dumps(document, allow_nan=False)
        except ValueError:
            with pytest.raises(ValueError, match="is not JSON"):
                decode_json_object(json.dumps(document).encode())
        else:
            assert decode_json_object(text.encode()) == document


class TestAlgorithm(Refusals):
    """R5: an allowlist of names, compared exactly, before any key is looked up."""

    @pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
    async def test_both_names_of_ed25519_are_accepted(self, name: str) -> None:
        assert await self.verifier.verify(self.issuer.token(header={"alg": name})) == ALICE

    @pytest.mark.parametrize(
        "name",
        [
            *("none", "None", "NONE", "noNE", "", " ", "HS256", "HS512", "RS256", "PS256", "ES256", "ES256K", "Ed448"),
            *("dir", "A256KW", "RSA-OAEP", "PBES2-HS256+A128KW", "ML-DSA-44", "EdDSA-Ed25519"),
            *("eddsa", "EDDSA", "Eddsa", "ed25519", "ED25519", "EdDSA ", " EdDSA", "EdDSA\0", "EdDSA\n", "EdDSA,none"),
            *("\u0415dDSA", "\uff25dDSA", "EdDS\u0041\u0301", "\ud800"),
            *(None, True, False, 0, 5, 1.5, [], ["EdDSA"], {}, {"EdDSA": "EdDSA"}, ABSENT),
        ],
        ids=short,
    )
    async def test_every_other_name_is_refused(self, name: object) -> None:
        assert await self.refusal(self.issuer.token(header={"alg": name})) == ALGORITHM

    @pytest.mark.parametrize("name", ["none", "None", "noNE"])
    async def test_a_token_without_a_signature_is_refused(self, name: str) -> None:  # CVE-2026-28802
        signing_input = self.issuer.token(header={"alg": name}).rpartition(".")[0]
        assert await self.refusal(f"{signing_input}.") == MALFORMED
        assert await self.refusal(f"{signing_input}.{base64url(bytes(64))}") == ALGORITHM

    @pytest.mark.parametrize("name", ["HS256", "HS512"])
    async def test_the_public_key_is_not_a_shared_secret(self, name: str) -> None:  # CVE-2024-37568
        signing_input = self.issuer.token(header={"alg": name}).rpartition(".")[0]
        digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[name]
        public = self.issuer.private_key.public_key().public_bytes_raw()
        mac = hmac.new(public, signing_input.encode(), digest).digest().ljust(64, b"\0")
        assert await self.refusal(f"{signing_input}.{base64url(mac)}") == ALGORITHM


class TestKeyId(Refusals):
    """R7: a string of 1 to 256 characters, looked up unchanged."""

    @pytest.mark.parametrize(
        "kid",
        [ABSENT, None, "", 0, 1, True, 1.5, [], ["key-1"], {}, {"key-1": 1}, "k" * 257, "\u00e9" * 257],
        ids=short,
    )
    async def test_a_missing_or_invalid_kid_is_refused(self, kid: object) -> None:
        assert (
            await self.refusal(self.issuer.token(header={"kid": kid}))
            == "The token's key ID (kid) is missing or invalid."
        )

    @pytest.mark.parametrize(
        "kid",
        [
            *("k", "k" * 256, "../../etc/passwd", "' OR 1=1 --", "https://evil.example/jwks"),
            *("KEY-1", "key-1 ", "\0", "\u00e9", "\ud800"),
        ],
        ids=short,
    )
    async def test_a_kid_is_looked_up_unchanged(self, kid: str) -> None:
        with pytest.raises(InvalidToken):
            await self.verifier.verify(self.issuer.token(header={"kid": kid}))
        assert self.keys.asked == [kid]

    @pytest.mark.parametrize("kid", ["k" * 256, "\u00e9" * 256], ids=short)
    async def test_the_longest_kid_is_accepted(self, kid: str) -> None:
        named = Issuer.new(kid, now=self.issuer.now)
        self.keys.keys = published(named)
        assert await self.verifier.verify(named.token()) == ALICE


class TestRefusedMembers(Refusals):
    """R8, R9: no key from the token itself, no extension."""

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
    @pytest.mark.parametrize("value", [None, "", "https://evil.example/jwks", [], ["MIIB"], {}, 5], ids=short)
    async def test_a_key_from_the_token_is_refused(self, member: str, value: object) -> None:
        assert await self.refusal(self.issuer.token(header={member: value})) == MEMBER

    async def test_a_key_in_the_header_is_never_used(self) -> None:  # CVE-2026-27962
        stranger = Issuer.new(now=self.issuer.now)
        assert await self.refusal(stranger.token(header={"jwk": stranger.jwk()})) == MEMBER
        assert await self.refusal(stranger.token(header={"kid": "other", "jwk": stranger.jwk()})) == MEMBER

    @pytest.mark.parametrize(
        "value",
        [[], ["exp"], ["b64"], ["kid"], ["exp", "exp"], [5], [None], "exp", "", None, 5, True, {}, {"exp": 1}],
        ids=short,
    )
    async def test_a_critical_extension_is_refused(self, value: object) -> None:  # CVE-2025-59420, CVE-2026-32597
        assert await self.refusal(self.issuer.token(header={"crit": value, "exp": 1})) == MEMBER

    @pytest.mark.parametrize("value", [False, True, None, "false", 0])
    async def test_an_unencoded_payload_is_refused(self, value: object) -> None:  # RFC 7797 7
        assert await self.refusal(self.issuer.token(header={"b64": value})) == MEMBER
        assert await self.refusal(self.issuer.token(header={"b64": value, "crit": ["b64"]})) == MEMBER


class TestType(Refusals):
    """R10: the same key signs other types of token."""

    @pytest.mark.parametrize(
        "typ",
        [
            *(ABSENT, "JWT", "jwt", "Jwt", "at+jwt", "AT+JWT"),
            *("application/jwt", "application/at+jwt", "Application/AT+JWT"),
        ],
        ids=short,
    )
    async def test_an_access_tokens_types_are_accepted(self, typ: object) -> None:
        assert await self.verifier.verify(self.issuer.token(header={"typ": typ})) == ALICE

    @pytest.mark.parametrize(
        "typ",
        [
            *(
                "logout+jwt",
                "better-auth.session-cache+jwt",
                "id+jwt",
                "secevent+jwt",
                "dpop+jwt",
                "JOSE",
                "jws",
                "JWE",
            ),
            *("", " ", "jwt ", " jwt", "jwt\0", "at+jwt;v=1", "application/", "application/json", "text/jwt", "/jwt"),
            *("application/application/jwt", "at+jwt\u200b", "\ud800"),
            *(None, True, 5, [], ["JWT"], {}, {"JWT": 1}),
        ],
        ids=short,
    )
    async def test_every_other_type_is_refused(self, typ: object) -> None:
        assert await self.refusal(self.issuer.token(header={"typ": typ})) == "The token is not an access token."


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "cty", "b64", "zip", "x"]),
        JSON | st.sampled_from(["EdDSA", "key-1", "JWT"]),
    )
)
def test_any_header_is_accepted_or_refused(header: dict[str, object]) -> None:  # R17
    try:
        token = parse_access_token(SIGNER.sign(compact_json(header), b"{}"))
    except InvalidToken:
        return
    assert token.kid == header["kid"]
    assert header["alg"] in {"EdDSA", "Ed25519"}
    assert 1 <= len(token.kid) <= 256
    assert token.payload == b"{}"
