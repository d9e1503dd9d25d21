from adapters.tokens.claims import ClaimRules
from entrypoints.settings import Settings


def token_rules(settings: Settings) -> ClaimRules:
    """What the settings ask of a token's claims."""
    return ClaimRules(
        issuer=settings.issuer,
        audience=settings.audience,
        leeway=settings.leeway,
        max_lifetime=settings.max_token_lifetime,
    )
