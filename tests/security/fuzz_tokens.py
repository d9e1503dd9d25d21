"""Whatever stands in an Authorization header, it is refused in words of ours or it is a good token: `make fuzz`.

atheris changes the files of `corpus` by what they reach in the code; `make test` tries each as it is (test_corpus.py).
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
"""Always the same, so that what is in the corpus stays a good token."""


class Published:
    """Its key, and no other."""

    def __init__(self) -> None:
        self.keys = parse_key_set(json.dumps(SIGNER.jwks()).encode())

    async def find(self, kid: str) -> PublicKey:
        """See KeySet."""
        if kid not in self.keys:
            raise InvalidToken("no such key")
        return self.keys[kid]


RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)


def try_header(value: bytes) -> str | None:
    """Who a header speaks for, or what a security event is about; `None` when it is refused.

    Any other error than a refusal is what the fuzzer looks for.
    """
    return asyncio.run(_judge(value))


async def _judge(value: bytes) -> str | None:
    try:
        token = bearer_token([value])
    except (NoCredentials, InvalidToken):
        return None
    known: str | None = None
    with suppress(InvalidToken):
        known = (await JwtVerifier(Published(), RULES, lambda: NOW).verify(token)).user_id
    with suppress(InvalidSecurityEvent):
        known = (await JwtSecurityEventVerifier(Published(), RULES, lambda: NOW).verify(token)).user_id
    if known is not None and token not in GOOD:
        raise AssertionError("a token was made up")
    return known


GOOD = {SIGNER.token("alice"), SIGNER.token("alice", sid="s-1"), SIGNER.security_event(session="s-1")}
"""What the corpus begins with: everything else that is taken would be forged."""


def main() -> None:
    """WorkerClock over to atheris, with the arguments of libFuzzer."""
    import atheris  # type: ignore[import-untyped]  # noqa: PLC0415  (only here, and only where there are wheels)

    atheris.instrument_all()
    found = tempfile.mkdtemp(prefix="fuzz-")  # what is worth keeping goes into the corpus by hand
    atheris.Setup([sys.argv[0], *sys.argv[1:], found, str(CORPUS)], try_header)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
