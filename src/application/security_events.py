"""What a security event of the issuer's does: sessions end, accounts go."""

from attrs import frozen

from application.ports import AuditLog, Clock, Revocations, SecurityEventVerifier, TaskLists
from domain.audit import AuditContext, AuditEvent, AuditKind, token_digest
from domain.errors import InvalidSecurityEvent
from domain.revocation import AccountPurged, SessionRevoked


@frozen
class RevokeSession:
    """End a session, or all of a user's."""

    revocations: Revocations
    audit: AuditLog
    clock: Clock

    async def __call__(self, event: SessionRevoked, origin: AuditContext) -> None:
        """Raise StorageUnavailable when that could not be kept."""
        await self.revocations.revoke(event.user_id, event.session_id, event.at)
        self.audit.record(
            AuditEvent(
                kind=AuditKind.SESSION_REVOKED,
                at=self.clock.now(),
                user_id=event.user_id,
                session_id=event.session_id,
                origin=origin,
            )
        )


@frozen
class EraseAccount:
    """Take away a user's tokens, and then everything that is theirs."""

    revocations: Revocations
    lists: TaskLists
    audit: AuditLog
    clock: Clock

    async def __call__(self, event: AccountPurged, origin: AuditContext) -> None:
        """Raise StorageUnavailable when it could not be done to the end; it is safe to repeat."""
        await self.revocations.revoke(event.user_id, None, event.at)
        await self.revocations.wait_for_propagation()  # else another worker could still let a token write behind us
        await self.lists.erase(event.user_id)
        self.audit.record(
            AuditEvent(kind=AuditKind.ACCOUNT_PURGED, at=self.clock.now(), user_id=event.user_id, origin=origin)
        )


@frozen
class ReceiveSecurityEvent:
    """Take a Security Event Token that was pushed here (RFC 8935 §2), and do what it says."""

    verifier: SecurityEventVerifier
    revoke_session: RevokeSession
    erase_account: EraseAccount
    audit: AuditLog
    clock: Clock

    async def __call__(self, unverified_event: str, origin: AuditContext) -> None:
        """Do it before it is acknowledged; a second time makes no difference.

        Raises:
            InvalidSecurityEvent: it breaks a rule.
            KeysUnavailable, StorageUnavailable: it can't be judged or kept now.
        """
        try:
            event = await self.verifier.verify(unverified_event)
        except InvalidSecurityEvent as error:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.TOKEN_REFUSED,
                    at=self.clock.now(),
                    origin=origin,
                    reason=error.reason,
                    token_digest=token_digest(unverified_event),
                )
            )
            raise
        match event:
            case SessionRevoked():
                await self.revoke_session(event, origin)
            case AccountPurged():
                await self.erase_account(event, origin)
