"""The signature test vectors of the RFCs."""

import json
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import BadSignatureError

from adapters.tokens.jwks import PublicKey, parse_key_set
from adapters.tokens.jws import ED25519, parse_access_token
from domain.errors import InvalidToken
from tests.support.fake_issuer import published
from tests.support.tokens import Issuer, base64url


class TestRfcVectors:
    """RFC 8037 appendix A, RFC 8032 7.1."""

    SECRET = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
    PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    TOKEN = (
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )

    def key(self) -> PublicKey:
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": self.PUBLIC, "kid": "appendix-a"}
        return parse_key_set(json.dumps({"keys": [jwk]}).encode())["appendix-a"]

    def test_the_key_of_a2_has_the_thumbprint_of_a3(self) -> None:
        assert self.key().jose.thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    def test_the_token_of_a4_verifies_with_the_key_of_a5(self) -> None:
        token = jws.deserialize_compact(self.TOKEN, self.key().jose, registry=ED25519)
        assert token.payload == b"Example of Ed25519 signing"

    def test_the_token_of_a4_verifies_in_no_other_encoding(self) -> None:
        with pytest.raises(BadSignatureError):
            jws.deserialize_compact(self.TOKEN.replace("RXhh", "RXhi"), self.key().jose, registry=ED25519)

    def test_the_tests_own_issuer_signs_as_in_a4(self) -> None:
        private_key = Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(self.SECRET + "="))
        issuer = Issuer("appendix-a", private_key)
        assert issuer.jwk()["x"] == self.PUBLIC
        assert issuer.sign(b'{"alg":"EdDSA"}', b"Example of Ed25519 signing") == self.TOKEN

    def test_the_token_of_a4_has_no_kid_and_is_refused_here(self) -> None:
        with pytest.raises(InvalidToken) as refused:
            parse_access_token(self.TOKEN)
        assert refused.value.reason == "The token's key ID (kid) is missing or invalid."

    @pytest.mark.parametrize(
        ("secret", "public", "message", "signature"),
        [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                (
                    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
                ),
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                (
                    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
                ),
            ),
        ],
    )
    def test_the_algorithm_is_that_of_rfc_8032(self, secret: str, public: str, message: str, signature: str) -> None:
        issuer = Issuer("vector", Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)))
        key = published(issuer)["vector"]
        assert key.x == base64url(bytes.fromhex(public))
        algorithm = ED25519.get_alg("EdDSA")
        assert algorithm.name == "Ed25519"
        assert issuer.signature(bytes.fromhex(message)) == bytes.fromhex(signature)
        assert algorithm.verify(bytes.fromhex(message), bytes.fromhex(signature), key.jose)
