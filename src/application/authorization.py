"""What an authenticated principal may do: whose lists, and with which kind of token."""

from typing import Final

from attrs import frozen

from application.ports import AuditLog, Clock
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.errors import AccessDenied, InsufficientScope
from domain.identity import Principal, UserId
from domain.revocation import REVOKED

INSUFFICIENT_SCOPE: Final = "The token was issued to an application without the required scope."


@frozen
class Authorize:
    """Check what a principal may do, before anything else about the request is looked at."""

    audit: AuditLog
    clock: Clock
    scope: str | None = None
    """The scope that a token needs which was issued to an application; `None`: no such token is accepted."""

    def __call__(self, principal: Principal, owner: UserId, context: AuditContext) -> None:
        """Raise AccessDenied if the list belongs to another user."""
        try:
            principal.ensure_owns(owner)
        except AccessDenied:
            self._record(AuditKind.ACCESS_DENIED, principal, context, None)
            raise

    def ensure_scope(self, principal: Principal, context: AuditContext) -> None:
        """Raise InsufficientScope if the token was issued to an application without the scope for this service."""
        if principal.lacks_scope:
            self._record(AuditKind.ACCESS_DENIED, principal, context, INSUFFICIENT_SCOPE)
            raise InsufficientScope(self.scope)

    def record_revoked(self, principal: Principal, context: AuditContext) -> None:
        """Record that a token which was accepted is revoked: the list says so, or its stream ends for that."""
        self._record(AuditKind.TOKEN_REFUSED, principal, context, REVOKED)

    def _record(self, kind: AuditKind, principal: Principal, context: AuditContext, reason: str | None) -> None:
        self.audit.record(
            AuditEvent(
                kind=kind,
                at=self.clock.now(),
                user_id=principal.user_id,
                session_id=principal.session_id,
                context=context,
                reason=reason,
            )
        )
