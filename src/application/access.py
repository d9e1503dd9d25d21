"""Who asks, and whether they may: what stands between a request and a list."""

from ipaddress import IPv6Address, ip_address
from typing import Final

from attrs import field, frozen

from application.ports import AuditLog, Clock, RateLimiter, Revocations, TokenVerifier
from domain.audit import AuditContext, AuditEvent, AuditKind, token_digest
from domain.errors import AccessDenied, InvalidToken, TooManyRequests
from domain.identity import Principal, SessionId, UserId
from domain.rate_limit import RateLimit, RateLimitStatus

REVOKED: Final = "The token has been revoked."

MAX_KNOWN_SESSIONS: Final = 10_000
"""Sessions that are known to have been seen; of more, those unused for longest are met as if for the first time."""


@frozen
class Authenticate:
    """Verify a bearer token, and see that it was not revoked."""

    verifier: TokenVerifier
    revocations: Revocations
    audit: AuditLog
    clock: Clock
    _seen: dict[tuple[UserId, SessionId], None] = field(init=False, factory=dict)

    async def __call__(self, unverified_token: str, origin: AuditContext) -> Principal:
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

    def _note_first_sight(self, user: UserId, session: SessionId, origin: AuditContext) -> None:
        if len(self._seen) >= MAX_KNOWN_SESSIONS:
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

    def __call__(self, principal: Principal, owner: UserId, origin: AuditContext) -> None:
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


SUBNET: Final = 64
"""Bits of an IPv6 address that tell one client from another: the rest is the client's own to vary (RFC 4291 §2.5.1)."""


@frozen
class EnforceRateLimits:
    """Count requests, and refuse what is above a limit; where there is no limit, nothing is counted."""

    users: RateLimit | None
    addresses: RateLimit | None
    meter: RateLimiter
    audit: AuditLog
    clock: Clock

    async def for_user(self, principal: Principal, origin: AuditContext) -> RateLimitStatus | None:
        """Count a request whose token is valid.

        Raises:
            TooManyRequests: the user has used up the window; told to the audit log once a window.
        """
        if self.users is None:
            return None
        allowance = await self.meter.hit(f"user:{principal.user_id}", self.users)
        if allowance.is_exceeded:
            self._refuse(allowance, origin, "user-limit", principal)
        return allowance

    async def for_address(self, origin: AuditContext) -> RateLimitStatus | None:
        """Count a request that nobody vouches for: without a valid token, or with a security event that was refused.

        Raises:
            TooManyRequests: its address has used up the window; told to the audit log once a window.
        """
        if self.addresses is None:
            return None
        allowance = await self.meter.hit(f"address:{_client(origin.peer)}", self.addresses)
        if allowance.is_exceeded:
            self._refuse(allowance, origin, "address-limit", None)
        return allowance

    def _refuse(
        self, allowance: RateLimitStatus, origin: AuditContext, reason: str, principal: Principal | None
    ) -> None:
        if allowance.is_first_excess:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.LIMIT_HIT,
                    at=self.clock.now(),
                    user_id=principal.user_id if principal else None,
                    session_id=principal.session_id if principal else None,
                    origin=origin,
                    reason=reason,
                )
            )
        raise TooManyRequests(allowance)


def _client(peer: str | None) -> str:
    """Who an address is counted as; all that have none, such as a local socket's peers, count as one."""
    try:
        address = ip_address(peer or "")
    except ValueError:
        return peer or "none"
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> (128 - SUBNET) << (128 - SUBNET)))
    return str(address)
