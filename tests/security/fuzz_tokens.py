"""Fuzz the Authorization header: any value is refused, or it is a valid token: `make fuzz`.

atheris mutates the files of `corpus`, guided by code coverage; `make test` replays each unchanged (test_corpus.py).
"""

import asyncio
import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.http.auth import bearer_token
from adapters.http.problems import NoCredentials
from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwks import PublicKey, parse_key_set
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.security_events import JwtSecurityEventVerifier
from domain.errors import InvalidSecurityEvent, InvalidToken
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

CORPUS = Path(__file__).with_name("corpus")
NOW = 1_800_000_000.0
SIGNER = Issuer("key-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))), now=lambda: NOW)
"""A fixed key, so that the valid tokens in the corpus stay valid."""


class Published:
    """A KeySet with the signer's key only."""

    def __init__(self) -> None:
        self.keys = parse_key_set(json.dumps(SIGNER.jwks()).encode())

    def current(self, kid: str) -> PublicKey | None:
        """See KeySet."""
        return self.keys.get(kid)

    async def find(self, kid: str) -> PublicKey:
        """See KeySet."""
        if kid not in self.keys:
            raise InvalidToken("no such key")
        return self.keys[kid]


RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)


def try_header(value: bytes) -> str | None:
    """The user of a valid token or security event; `None` when the header is refused.

    Any other exception is a bug that the fuzzer has found.
    """
    return asyncio.run(_verify(value))


async def _verify(value: bytes) -> str | None:
    try:
        token = bearer_token([value])
    except (NoCredentials, InvalidToken):
        return None
    user: str | None = None
    with suppress(InvalidToken):
        user = (await JwtVerifier(Published(), RULES, lambda: NOW).verify(token)).user_id
    with suppress(InvalidSecurityEvent):
        user = (await JwtSecurityEventVerifier(Published(), RULES, lambda: NOW).verify(token)).user_id
    if user is not None and token not in VALID:
        raise AssertionError("a forged token was accepted")
    return user


VALID = {SIGNER.token("alice"), SIGNER.token("alice", sid="s-1"), SIGNER.security_event(session="s-1")}
"""The valid tokens of the corpus: any other that is accepted would be forged."""


def main() -> None:
    """Run atheris with the arguments of libFuzzer."""
    import atheris  # type: ignore[import-untyped]  # noqa: PLC0415  (an optional package, without wheels for some platforms)

    atheris.instrument_all()
    found = tempfile.mkdtemp(prefix="fuzz-")  # move interesting files to the corpus by hand
    atheris.Setup([sys.argv[0], *sys.argv[1:], found, str(CORPUS)], try_header)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
