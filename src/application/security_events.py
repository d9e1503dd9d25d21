"""Security events of the issuer: the port that verifies them, and what they do: revoke sessions, delete accounts."""

from typing import Protocol

from attrs import frozen

from application.ports import AuditLog, Clock, Revocations, TaskLists
from domain.audit import AuditContext, AuditEvent, AuditKind, token_digest
from domain.errors import InvalidSecurityEvent
from domain.revocation import AccountPurged, SecurityEvent, SessionRevoked


class SecurityEventVerifier(Protocol):
    """Verifies Security Event Tokens (RFC 8417)."""

    async def verify(self, unverified_event: str, client: str) -> SecurityEvent:
        """Return the event. Raise InvalidSecurityEvent, or KeysUnavailable if it cannot be verified now.

        Events wait behind no access token, and clients (see Client.identity) take turns.
        """


@frozen
class RevokeSession:
    """Revoke a session, or all sessions of a user."""

    revocations: Revocations
    audit: AuditLog
    clock: Clock

    async def __call__(self, event: SessionRevoked, context: AuditContext) -> None:
        """Raise StorageUnavailable if the revocation could not be stored."""
        await self.revocations.revoke(event.user_id, event.session_id, event.at, event.token_lifetime)
        self.audit.record(
            AuditEvent(
                kind=AuditKind.SESSION_REVOKED,
                at=self.clock.now(),
                user_id=event.user_id,
                session_id=event.session_id,
                context=context,
            )
        )


@frozen
class EraseAccount:
    """Revoke a user's tokens, then delete all of their data."""

    revocations: Revocations
    lists: TaskLists
    audit: AuditLog
    clock: Clock

    async def __call__(self, event: AccountPurged, context: AuditContext) -> None:
        """Raise StorageUnavailable if it could not be completed; it is safe to repeat.

        It does not wait until every worker knows the revocation: the list itself refuses changes with the old tokens.
        """
        await self.revocations.revoke(event.user_id, None, event.at)
        await self.lists.erase(event.user_id, event.at)
        self.audit.record(
            AuditEvent(kind=AuditKind.ACCOUNT_PURGED, at=self.clock.now(), user_id=event.user_id, context=context)
        )


@frozen
class ReceiveSecurityEvent:
    """Verify a Security Event Token that was pushed to the service (RFC 8935 §2) and act on it."""

    verifier: SecurityEventVerifier
    revoke_session: RevokeSession
    erase_account: EraseAccount
    audit: AuditLog
    clock: Clock

    async def __call__(self, unverified_event: str, context: AuditContext, client: str = "") -> None:
        """Act on the event before it is acknowledged. Idempotent. Clients take turns while many events wait.

        Raises:
            InvalidSecurityEvent: the token violates a rule.
            KeysUnavailable, StorageUnavailable: the event cannot be verified or stored now.
        """
        try:
            event = await self.verifier.verify(unverified_event, client)
        except InvalidSecurityEvent as error:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.TOKEN_REFUSED,
                    at=self.clock.now(),
                    context=context,
                    reason=error.reason,
                    token_digest=token_digest(unverified_event),
                )
            )
            raise
        match event:
            case SessionRevoked():
                await self.revoke_session(event, context)
            case AccountPurged():
                await self.erase_account(event, context)
