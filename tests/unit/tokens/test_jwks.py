"""Parsing the published key set: K8, K9, R6, R7."""

import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from adapters.tokens.jwks import PublicKey, parse_key_set
from tests.support.json_cases import BAD_MEMBERS, JSON, NOT_ONE_OBJECT, WRONG_ENCODINGS, short, unhurried
from tests.support.tokens import ABSENT, Issuer, base64url, compact_json

GOOD = Issuer("good", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))  # fixed: it is part of test names
OTHER = Issuer.new("other")
X = GOOD.jwk()["x"]


def parse(*jwks: object, **members: object) -> dict[str, PublicKey]:
    return parse_key_set(compact_json({"keys": list(jwks), **members}))


def test_a_key_set_as_better_auth_publishes_it_is_parsed() -> None:
    assert set(GOOD.jwk()) == {"alg", "crv", "x", "kty", "kid"}
    assert parse_key_set(compact_json(GOOD.jwks())) == parse(GOOD.jwk())
    key = parse(GOOD.jwk())["good"]
    assert (key.kid, key.x) == ("good", X)
    assert key.jose.as_dict() == {"kty": "OKP", "crv": "Ed25519", "x": X}


def test_every_key_is_found_by_its_kid() -> None:
    keys = parse_key_set(compact_json(GOOD.jwks(OTHER)))
    assert {kid: key.x for kid, key in keys.items()} == {"good": X, "other": OTHER.jwk()["x"]}


def test_keys_are_equal_when_kid_and_bytes_are() -> None:
    assert parse(GOOD.jwk())["good"] == parse(GOOD.jwk(alg="Ed25519", use="sig"))["good"]
    assert parse(GOOD.jwk())["good"] != parse(GOOD.jwk(kid="renamed"))["renamed"]
    assert parse(GOOD.jwk())["good"] != parse(OTHER.jwk(kid="good"))["good"]


def test_a_set_without_keys_is_a_set() -> None:
    assert parse() == {}


def test_other_members_of_the_set_are_ignored() -> None:
    assert set(parse(GOOD.jwk(), next=None, keys_url="https://evil.example")) == {"good"}


USABLE = [
    *({"alg": ABSENT}, {"alg": "EdDSA"}, {"alg": "Ed25519"}),
    *({"use": "sig"}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"use": "sig", "key_ops": ["verify"]}),
    *({"kid": "k"}, {"kid": "k" * 256}, {"kid": "\u00e9"}, {"kid": "../../etc"}),
    *({"x5u": "https://evil.example"}, {"expiresAt": None}, {"nested": {"d": "not a private key"}}),
]
UNUSABLE_VALUES: dict[str, list[Any]] = {
    "kty": [ABSENT, None, "EC", "RSA", "oct", "okp", "", 5, ["OKP"], {}],
    "crv": [ABSENT, None, "Ed448", "X25519", "P-256", "ed25519", "", 5, ["Ed25519"], {}],
    "use": ["enc", "", "SIG", None, 5, ["sig"], {}],
    "key_ops": [[], ["sign"], ["encrypt"], "verify", "", None, 5, {"verify": 1}, [["verify"]], ["Verify"]],
    "alg": ["Ed448", "ES256", "HS256", "none", "eddsa", "", None, 5, ["EdDSA"], {}],
    "kid": [ABSENT, None, "", 5, True, ["good"], {}, "k" * 257],
    "x": [
        *(ABSENT, None, "", 5, [X], {}, f"{X}=", X[:-1], f"{X}AA", f" {X}", f"{X}\n", "\u00e9" * 43, "\ud800" * 43),
        *(X[:-1] + "B", "+" * 43, "/" * 43, *(base64url(bytes(length)) for length in (16, 31, 33, 57, 64))),
    ],
    "d": [base64url(bytes(32)), "", None, 5],
}
UNUSABLE = [{name: value} for name, values in UNUSABLE_VALUES.items() for value in values]


class TestOneKey:
    """K9: an Ed25519 key for signatures, with a kid and without its private key."""

    @pytest.mark.parametrize("members", USABLE, ids=short)
    def test_a_usable_key_is_used(self, members: dict[str, object]) -> None:
        jwk = GOOD.jwk(**members)
        assert set(parse(jwk)) == {jwk["kid"]}

    @pytest.mark.parametrize("members", UNUSABLE, ids=short)
    def test_an_unusable_key_is_ignored_and_the_others_are_used(self, members: dict[str, object]) -> None:
        unusable = GOOD.jwk(**members)
        assert set(parse(unusable, OTHER.jwk())) == {"other"}
        assert set(parse(OTHER.jwk(), unusable)) == {"other"}

    @pytest.mark.parametrize("entry", [None, True, 5, 1.5, "", "good", X, [], [{}], {}], ids=short)
    def test_an_entry_that_is_not_a_key_is_ignored(self, entry: object) -> None:
        assert set(parse(entry, OTHER.jwk(), entry)) == {"other"}

    @pytest.mark.parametrize("members", UNUSABLE, ids=short)
    def test_a_set_without_a_usable_key_is_refused(self, members: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="no key in the set is usable"):
            parse(GOOD.jwk(**members))

    def test_a_published_private_key_is_ignored_and_logged_as_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        secret = base64url(GOOD.private_key.private_bytes_raw())
        assert set(parse(GOOD.jwk(d=secret), OTHER.jwk())) == {"other"}
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert "private key" in record.message
        assert secret not in str(record.__dict__)


class TestDuplicates:
    """K9: with two keys of one kid, it is ambiguous which of them signed."""

    def test_neither_of_two_keys_with_one_kid_is_used(self) -> None:
        assert set(parse(GOOD.jwk(), OTHER.jwk(kid="good"), OTHER.jwk())) == {"other"}

    @pytest.mark.parametrize(
        "members",
        [
            *({}, {"alg": ABSENT}, {"alg": "Ed25519"}, {"use": "sig"}, {"key_ops": ["verify"]}, {"extra": [1]}),
            *({"use": "enc"}, {"alg": "ES256"}),  # the same key, of which one entry can't be used
        ],
        ids=short,
    )
    def test_the_very_same_key_listed_twice_is_one_key(self, members: dict[str, object]) -> None:
        twin = dict(reversed(GOOD.jwk(**members).items()))
        for jwks in ((GOOD.jwk(), twin), (twin, GOOD.jwk()), (GOOD.jwk(), twin, twin, GOOD.jwk())):
            keys = parse(*jwks, OTHER.jwk())
            assert (set(keys), keys["good"].x) == ({"good", "other"}, X)

    @pytest.mark.parametrize(
        "members", [{"d": "secret"}, {"d": None}, {"x": f"{X}="}, {"x": [X]}, {"kty": "EC"}], ids=short
    )
    def test_a_key_whose_twin_is_private_or_another_key_is_not_used(self, members: dict[str, object]) -> None:
        for jwks in ((GOOD.jwk(), GOOD.jwk(**members)), (GOOD.jwk(**members), GOOD.jwk(), GOOD.jwk())):
            assert set(parse(*jwks, OTHER.jwk())) == {"other"}

    @pytest.mark.parametrize("members", [{"kty": "RSA"}, {"crv": "Ed448"}, {"d": "secret"}, {"x": None}], ids=short)
    def test_an_unusable_key_disables_a_usable_one_with_its_kid(self, members: dict[str, object]) -> None:
        assert set(parse(GOOD.jwk(), OTHER.jwk(kid="good", **members), OTHER.jwk())) == {"other"}

    def test_kids_are_compared_exactly(self) -> None:
        keys = parse(GOOD.jwk(), OTHER.jwk(kid="GOOD"), OTHER.jwk(kid="good "))
        assert set(keys) == {"good", "GOOD", "good "}

    def test_keys_without_a_kid_are_not_duplicates(self) -> None:
        assert set(parse(GOOD.jwk(kid=ABSENT), OTHER.jwk(kid=ABSENT), GOOD.jwk())) == {"good"}


class TestDocument:
    """K8: one strict JSON object with a list `keys`."""

    @pytest.mark.parametrize("keys", [ABSENT, None, {}, {"good": {}}, "", "keys", 5, True], ids=short)
    def test_a_document_without_a_list_of_keys_is_refused(self, keys: object) -> None:
        document = {} if keys is ABSENT else {"keys": keys}
        with pytest.raises(ValueError, match="`keys` is not a list"):
            parse_key_set(compact_json(document))

    @pytest.mark.parametrize("document", [*NOT_ONE_OBJECT, b"<html></html>", b'{"keys":[]', b"[" * 100_000], ids=short)
    def test_a_document_that_is_not_one_object_is_refused(self, document: bytes) -> None:
        with pytest.raises((ValueError, RecursionError)):
            parse_key_set(document)

    @pytest.mark.parametrize("member", BAD_MEMBERS, ids=short)
    def test_a_document_that_is_not_strict_json_is_refused(self, member: bytes) -> None:
        document = compact_json(GOOD.jwks())
        assert set(parse_key_set(document)) == {"good"}
        with pytest.raises((ValueError, RecursionError)):
            parse_key_set(document[:-1] + b"," + member + b"}")

    def test_a_duplicate_list_of_keys_is_refused(self) -> None:
        with pytest.raises(ValueError, match="duplicate member"):
            parse_key_set(compact_json(GOOD.jwks())[:-1] + b',"keys":[]}')

    @pytest.mark.parametrize("encoding", WRONG_ENCODINGS)
    def test_another_encoding_is_refused(self, encoding: str) -> None:
        text = json.dumps(GOOD.jwks() | {"name": "Zo\u00eb"}, ensure_ascii=False)
        with pytest.raises(ValueError):
            parse_key_set(text.encode(encoding))

    @unhurried
    @given(st.binary() | st.text().map(str.encode))
    def test_any_bytes_are_refused(self, document: bytes) -> None:
        with pytest.raises(ValueError):
            parse_key_set(document)

    @unhurried
    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(["kty", "crv", "x", "kid", "use", "key_ops", "alg", "d", "x5c"]),
                JSON,
            ).map(lambda members: GOOD.jwk(**members)),
            max_size=4,
        )
    )
    def test_any_key_is_used_or_ignored(self, jwks: list[dict[str, object]]) -> None:
        try:
            keys = parse(OTHER.jwk(), *jwks)
        except ValueError:
            return  # NaN, or no usable key
        assert all(1 <= len(kid) <= 256 and key.x in {X, OTHER.jwk()["x"]} for kid, key in keys.items())
