"""Base class for tests of tokens that have a valid signature and are refused for their form or header."""

import pytest

from adapters.tokens.jwt_verifier import JwtVerifier
from domain.errors import InvalidToken
from domain.identity import Principal, UserId
from tests.support.fake_issuer import PublishedKeys
from tests.support.tokens import Issuer

ALICE = Principal(UserId("alice"))


class Refusals:
    """A verifier, its keys and their issuer."""

    @pytest.fixture(autouse=True)
    def _fixtures(self, verifier: JwtVerifier, keys: PublishedKeys, issuer: Issuer) -> None:
        self.verifier, self.keys, self.issuer = verifier, keys, issuer

    async def refusal(self, token: str) -> str:
        """The reason for refusing a token, asserting that no key was looked up."""
        with pytest.raises(InvalidToken) as refusal:
            await self.verifier.verify(token)
        assert self.keys.asked == []
        return refusal.value.reason
