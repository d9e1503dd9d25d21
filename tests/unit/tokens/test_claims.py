"""The claims of a token with a valid signature: R12 to R14, R16, R18."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jws import MALFORMED
from domain.errors import InvalidToken
from domain.identity import Principal, UserId
from tests.support.json_cases import BAD_MEMBERS, JSON, NOT_ONE_OBJECT, WRONG_ENCODINGS, short, unhurried
from tests.support.rejections import ALICE
from tests.support.tokens import ABSENT, AUDIENCE, ISSUER, base64url, compact_json
from tests.support.verification import HEADER, NOW, SIGNER, refusal, verify


class TestPayloadJson:
    """R12: as strict as the header; nothing is decompressed."""

    @pytest.mark.parametrize("payload", [case for case in NOT_ONE_OBJECT if case], ids=short)
    async def test_a_payload_that_is_not_an_object_is_malformed(self, payload: bytes) -> None:
        assert await refusal(SIGNER.sign(HEADER, payload)) == MALFORMED

    @pytest.mark.parametrize("member", BAD_MEMBERS, ids=short)
    async def test_a_payload_that_is_not_strict_json_is_malformed(self, member: bytes) -> None:
        payload = compact_json(SIGNER.claims())[:-1] + b"," + member + b"}"
        assert await refusal(SIGNER.sign(HEADER, payload)) == MALFORMED

    @pytest.mark.parametrize("name", ["iss", "aud", "sub", "iat", "exp"])
    async def test_a_duplicate_claim_is_malformed(self, name: str) -> None:
        claim = json.dumps({name: SIGNER.claims()[name]}).encode()
        payload = compact_json(SIGNER.claims())[:-1] + b"," + claim[1:]
        assert await refusal(SIGNER.sign(HEADER, payload)) == MALFORMED

    @pytest.mark.parametrize("encoding", WRONG_ENCODINGS)
    async def test_a_payload_in_another_encoding_is_malformed(self, encoding: str) -> None:
        text = json.dumps(SIGNER.claims() | {"name": "Zo\u00eb"}, ensure_ascii=False)
        assert await refusal(SIGNER.sign(HEADER, text.encode(encoding))) == MALFORMED

    @pytest.mark.parametrize("depth", [500, 1000, 2000])
    async def test_a_deeply_nested_payload_is_accepted_or_malformed(self, depth: int) -> None:  # R17
        deep = b',"x":' + b"[" * depth + b"]" * depth + b"}"
        try:
            assert await verify(SIGNER.sign(HEADER, compact_json(SIGNER.claims())[:-1] + deep)) == ALICE
        except InvalidToken as error:
            assert error.reason == MALFORMED  # noqa: PT017  (the interpreter decides which depth is too much)

    async def test_a_compressed_payload_is_malformed(self) -> None:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(compact_json(SIGNER.claims())) + packer.flush()
        for header in (HEADER, compact_json({"alg": "EdDSA", "kid": "key-1", "zip": "DEF"})):
            assert await refusal(SIGNER.sign(header, packed)) == MALFORMED

    async def test_a_token_in_a_token_is_malformed(self) -> None:
        header = compact_json({"alg": "EdDSA", "kid": "key-1", "cty": "JWT"})
        assert await refusal(SIGNER.sign(header, SIGNER.token().encode())) == MALFORMED

    async def test_other_claims_are_ignored(self) -> None:
        token = SIGNER.token(
            email="a@example.com", sid="s", jti="j", name="Zo\u00eb", roles=["admin"], extra={"a": None}
        )
        assert await verify(token) == ALICE

    @pytest.mark.parametrize(
        "events", [{}, {"http://schemas.openid.net/event/backchannel-logout": {}}, [], None, False]
    )
    async def test_a_security_event_is_not_an_access_token(self, events: object) -> None:
        assert await refusal(SIGNER.token(events=events)) == "The token is not an access token."


class TestIssuer:
    """R13: required, a string, and exactly the configured one."""

    @pytest.mark.parametrize(
        "iss",
        [
            *(ABSENT, None, "", 5, True, [], [ISSUER], {}, {ISSUER: 1}),
            *(f"{ISSUER}/", f" {ISSUER}", f"{ISSUER}\n", f"{ISSUER}\0", ISSUER[:-1], ISSUER[1:], ISSUER.upper()),
            *(ISSUER.replace("https", "http"), f"{ISSUER}:443", f"{ISSUER}.evil.example", AUDIENCE, "\ud800"),
        ],
        ids=short,
    )
    async def test_another_issuers_token_is_refused(self, iss: object) -> None:
        assert await refusal(SIGNER.token(iss=iss)) == "The token is from another issuer."

    async def test_a_configured_trailing_slash_is_significant(self) -> None:
        rules = ClaimRules(issuer=f"{ISSUER}/", audience=AUDIENCE)
        assert await verify(SIGNER.token(iss=f"{ISSUER}/"), rules=rules) == ALICE
        assert await refusal(SIGNER.token(), rules=rules) == "The token is from another issuer."


class TestAudience:
    """R14: required, and exactly ours, alone or in a list of strings."""

    @pytest.mark.parametrize(
        "aud", [AUDIENCE, [AUDIENCE], [AUDIENCE, "other"], ["other", AUDIENCE], [AUDIENCE, AUDIENCE]]
    )
    async def test_a_token_for_us_is_accepted(self, aud: object) -> None:
        assert await verify(SIGNER.token(aud=aud)) == ALICE

    @pytest.mark.parametrize(
        "aud",
        [
            *(ABSENT, None, "", 5, True, [], {}, {AUDIENCE: 1}, [[AUDIENCE]], ["other"], [""], [None], [{}]),
            *([AUDIENCE, 5], [AUDIENCE, None], [None, AUDIENCE], [[], AUDIENCE], [AUDIENCE, [AUDIENCE]]),
            *(
                f"{AUDIENCE}/",
                [f"{AUDIENCE}/"],
                AUDIENCE[:-1],
                f"{AUDIENCE} other",
                f"other {AUDIENCE}",
                f"{AUDIENCE},other",
            ),
            *(AUDIENCE.upper(), [AUDIENCE.upper()], ISSUER, [ISSUER], "*", ["*"], "\ud800"),
        ],
        ids=short,
    )
    async def test_a_token_for_another_audience_is_refused(self, aud: object) -> None:
        assert await refusal(SIGNER.token(aud=aud)) == "The token is for another audience."


class TestSubject:
    """R16: the issuer's user ID, unchanged: 1 to 255 characters, no control characters."""

    @pytest.mark.parametrize(
        "sub",
        [
            "a",
            "s" * 255,
            "\U0001f511" * 255,
            "Zo\u00eb",
            "../bob",
            "a/b?c#d",
            "'; DROP TABLE tasks",
            " a ",
            "null",
            "0",
        ],
        ids=short,
    )
    async def test_a_subject_is_used_unchanged(self, sub: str) -> None:
        assert await verify(SIGNER.token(sub)) == Principal(UserId(sub))

    @pytest.mark.parametrize("sub", [ABSENT, None, 5, 0, True, 1.5, [], ["alice"], {}, {"id": "alice"}], ids=short)
    async def test_a_subject_that_is_not_a_string_is_refused(self, sub: object) -> None:
        assert await refusal(SIGNER.token(sub)) == "The token's subject is missing or not a string."

    @pytest.mark.parametrize(
        "sub",
        [
            "",
            "s" * 256,
            "\0",
            "a\0b",
            "a\nb",
            "a\rb",
            "\t",
            "\x7f",
            "\x85",
            "\x1b[2J",
            "\ud800",
            "a\udfff",
            "\udc00\ud800",
        ],
        ids=short,
    )
    async def test_a_subject_that_cannot_be_stored_is_refused(self, sub: str) -> None:
        assert await refusal(SIGNER.token(sub)) == "The token's subject is not a valid user ID."

    async def test_the_principal_has_its_session_and_when_its_token_was_issued(self) -> None:
        principal = await verify(SIGNER.token(sid="s-1"))
        assert (principal.session_id, principal.issued_at) == ("s-1", SIGNER.claims()["iat"])

    @pytest.mark.parametrize("sid", [ABSENT, None])
    async def test_a_token_needs_no_session(self, sid: object) -> None:
        assert (await verify(SIGNER.token(sid=sid))).session_id is None

    @pytest.mark.parametrize("sid", ["", 5, True, ["s-1"], {}, "x" * 256, "a\nb"], ids=short)
    async def test_a_session_that_could_not_be_revoked_is_refused(self, sid: object) -> None:
        assert await refusal(SIGNER.token(sid=sid)) == "The token's session ID is invalid."

    async def test_a_subject_is_not_normalised(self) -> None:
        assert await verify(SIGNER.token("e\u0301")) != await verify(SIGNER.token("\u00e9"))
        assert await verify(SIGNER.token("Alice")) != ALICE


class TestConfiguration:
    """R18: an empty rule would check nothing."""

    @pytest.mark.parametrize("nothing", ["", None])
    def test_without_issuer_or_audience_there_are_no_rules(self, nothing: str) -> None:
        with pytest.raises(ValueError, match="must be configured"):
            ClaimRules(issuer=nothing, audience=AUDIENCE)
        with pytest.raises(ValueError, match="must be configured"):
            ClaimRules(issuer=ISSUER, audience=nothing)


class TestAnything:
    """R17: any signed token is accepted or refused, and never raises another error."""

    @unhurried
    @given(
        st.dictionaries(
            st.sampled_from(["iss", "aud", "sub", "iat", "exp", "nbf", "events", "jti"]),
            JSON | st.just(AUDIENCE) | st.just(NOW),
        )
    )
    async def test_any_claims_are_accepted_or_refused(self, claims: dict[str, object]) -> None:
        try:
            principal = await verify(SIGNER.token(claims=claims))
        except InvalidToken:
            return
        assert principal.user_id == claims.get("sub", "alice")

    @unhurried
    @given(st.binary())
    async def test_any_bytes_as_payload_are_refused(self, payload: bytes) -> None:
        with pytest.raises(InvalidToken):
            await verify(SIGNER.sign(HEADER, payload))
        with pytest.raises(InvalidToken):
            await verify(SIGNER.sign_segments(base64url(HEADER), base64url(payload) + "A"))
