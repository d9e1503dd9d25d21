"""Who asks: what stands between a bearer token and a principal."""

from hashlib import sha256

from attrs import frozen

from application.ports import AuditLog, Clock, Revocations, TokenVerifier
from domain.audit import AuditEvent, AuditKind, RequestOrigin
from domain.errors import InvalidToken
from domain.identity import Principal


@frozen
class Authenticate:
    """Verify a bearer token, and see that it was not revoked."""

    verifier: TokenVerifier
    revocations: Revocations
    audit: AuditLog
    clock: Clock

    async def __call__(self, unverified_token: str, origin: RequestOrigin) -> Principal:
        """The principal that the token speaks for.

        Raises:
            InvalidToken: it breaks a rule or was revoked.
            KeysUnavailable, RevocationsUnavailable: that can't be told now.
        """
        try:
            principal = await self.verifier.verify(unverified_token)
            if self.revocations.is_revoked(principal):
                raise InvalidToken(REVOKED)  # noqa: TRY301  (refused like every other bad token)
        except InvalidToken as error:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.TOKEN_REFUSED,
                    at=self.clock.now(),
                    origin=origin,
                    reason=error.reason,
                    token_digest=token_digest(unverified_token),
                )
            )
            raise
        return principal


REVOKED = "The token has been revoked."


def token_digest(token: str) -> str:
    """What the audit log keeps of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16]
