from datetime import timedelta

from adapters.tokens.claims import ClaimRules
from entrypoints.settings import Settings


def longest_life(settings: Settings) -> timedelta:
    """How long after its signing a token can be accepted at most."""
    return timedelta(seconds=settings.max_token_lifetime + 2 * settings.leeway)


def token_rules(settings: Settings) -> ClaimRules:
    """What the settings ask of a token's claims."""
    return ClaimRules(
        issuer=settings.issuer,
        audience=settings.audience,
        leeway=settings.leeway,
        max_lifetime=settings.max_token_lifetime,
    )
