import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.verifier import JwtVerifier
from tests.tokens import AUDIENCE, ISSUER, Issuer
from tests.unit.tokens.stand_ins import HandClock, PublishedKeys, published


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def issuer(clock: HandClock) -> Issuer:
    return Issuer.new(now=clock)


@pytest.fixture
def rules() -> ClaimRules:
    return ClaimRules(issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def keys(issuer: Issuer) -> PublishedKeys:
    return PublishedKeys(published(issuer))


@pytest.fixture
def verifier(keys: PublishedKeys, rules: ClaimRules, clock: HandClock) -> JwtVerifier:
    return JwtVerifier(keys, rules, clock)
