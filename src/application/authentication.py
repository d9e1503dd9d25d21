"""Who asks, and whether they may: what stands between a request and a list."""

from typing import Final

from attrs import field, frozen

from application.ports import AuditLog, Clock, Revocations, TokenVerifier
from domain.audit import AuditEvent, AuditKind, RequestOrigin, token_digest
from domain.errors import AccessDenied, InvalidToken
from domain.identity import Principal, SessionId, UserId

REVOKED: Final = "The token has been revoked."

REMEMBERED_SESSIONS: Final = 10_000
"""Sessions that are known to have been seen; of more, those unused for longest are met as if for the first time."""


@frozen
class Authenticate:
    """Verify a bearer token, and see that it was not revoked."""

    verifier: TokenVerifier
    revocations: Revocations
    audit: AuditLog
    clock: Clock
    _seen: dict[tuple[UserId, SessionId], None] = field(init=False, factory=dict)

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
        session = principal.session_id
        if session is not None and not self._has_seen((principal.user_id, session)):
            self._note_first_sight(principal.user_id, session, origin)
        return principal

    def _has_seen(self, session: tuple[UserId, SessionId]) -> bool:
        if session not in self._seen:
            return False
        self._seen[session] = self._seen.pop(session)  # the newest is last
        return True

    def _note_first_sight(self, user: UserId, session: SessionId, origin: RequestOrigin) -> None:
        if len(self._seen) >= REMEMBERED_SESSIONS:
            del self._seen[next(iter(self._seen))]
        self._seen[user, session] = None
        self.audit.record(
            AuditEvent(
                kind=AuditKind.SESSION_SEEN, at=self.clock.now(), user_id=user, session_id=session, origin=origin
            )
        )


@frozen
class Authorize:
    """See that a path leads to the principal's own list, before anything of it is looked at."""

    audit: AuditLog
    clock: Clock

    def __call__(self, principal: Principal, owner: UserId, origin: RequestOrigin) -> None:
        """Raise AccessDenied when the list is somebody else's."""
        try:
            principal.ensure_owns(owner)
        except AccessDenied:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.ACCESS_DENIED,
                    at=self.clock.now(),
                    user_id=principal.user_id,
                    session_id=principal.session_id,
                    origin=origin,
                )
            )
            raise
