"""The one signature algorithm: Ed25519, under either of its names."""

from typing import Final

from joserfc import jws
from joserfc.jwa import JWSAlgModel

from adapters.tokens.jws import ALGORITHMS, MAX_LENGTH


class Ed25519Registry(jws.JWSRegistry):
    """RFC 8037's "EdDSA" taken for what RFC 9864 calls "Ed25519": never Ed448, and no other algorithm."""

    max_header_length = MAX_LENGTH  # a key id alone may fill joserfc's 512 bytes

    def get_alg(self, name: str) -> JWSAlgModel:
        """The algorithm of that name; joserfc refuses every name but ours."""
        return super().get_alg("Ed25519" if name in ALGORITHMS else name)


# Members of the header that nobody knows are passed over (RFC 7515 §4); those that matter are judged before.
ED25519: Final = Ed25519Registry(algorithms=["Ed25519"], strict_check_header=False)
