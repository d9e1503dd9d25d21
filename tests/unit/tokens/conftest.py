import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from tests.support.fake_issuer import ManualTime, PublishedKeys, published
from tests.support.tokens import AUDIENCE, ISSUER, Issuer


@pytest.fixture
def clock() -> ManualTime:
    return ManualTime()


@pytest.fixture
def issuer(clock: ManualTime) -> Issuer:
    return Issuer.new(now=clock)


@pytest.fixture
def rules() -> ClaimRules:
    return ClaimRules(issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def keys(issuer: Issuer) -> PublishedKeys:
    return PublishedKeys(published(issuer))


@pytest.fixture
def verifier(keys: PublishedKeys, rules: ClaimRules, clock: ManualTime) -> JwtVerifier:
    return JwtVerifier(keys, rules, clock)
