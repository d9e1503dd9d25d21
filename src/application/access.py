"""Access control of a request: authentication and rate limits."""

from typing import Final, NoReturn

from attrs import Factory, field, frozen

from application.ports import AuditLog, Client, Clock, LocalRateLimiter, RateLimiter, Revocations, TokenVerifier
from domain.audit import AuditContext, AuditEvent, AuditKind, token_digest
from domain.errors import InvalidToken, RevocationsUnavailable, TooManyRequests
from domain.identity import Principal, SessionId, UserId, address_identity
from domain.rate_limit import RateLimit, RateLimitStatus
from domain.revocation import REVOKED, TOKEN_REVOKED

MAX_KNOWN_SESSIONS: Final = 10_000
"""Sessions remembered as already recorded in the audit log; the least recently used is evicted and recorded again."""


@frozen
class Address:
    """The client of a request without a verified token: its address.

    Implements the port's Client. `key` is where its requests without a valid token are counted.
    """

    identity: str
    limit: RateLimit | None
    limiter: RateLimiter

    @property
    def key(self) -> str:
        """In the rate limiter."""
        return f"address:{self.identity}"

    def ensure_within_limit(self) -> None:
        """See the port."""
        status = None if self.limit is None else self.limiter.known(self.key, self.limit)
        if status is not None and status.is_exceeded:
            raise TooManyRequests(status)


@frozen
class Authenticate:
    """Verify a bearer token and check that it is not revoked."""

    verifier: TokenVerifier
    revocations: Revocations
    audit: AuditLog
    clock: Clock
    max_known_sessions: int = MAX_KNOWN_SESSIONS
    _known_sessions: dict[tuple[UserId, SessionId], None] = field(init=False, factory=dict)

    async def __call__(self, unverified_token: str, context: AuditContext, client: Client) -> Principal:
        """Return the token's principal.

        Raises:
            InvalidToken: the token violates a rule or is revoked.
            KeysUnavailable, RevocationsUnavailable, Overloaded: the token cannot be checked now.
            TooManyRequests: the token was not checked: its client has exceeded the limit.
        """
        try:
            principal = await self.verifier.verify(unverified_token, client)
            self._ensure_not_revoked(principal)
        except InvalidToken as error:
            self._record_refusal(unverified_token, error, context)
            raise
        session = principal.session_id
        if session is not None and not self._is_known((principal.user_id, session)):
            self._record_session(principal.user_id, session, context)
        return principal

    def remembered(self, unverified_token: bytes, context: AuditContext) -> Principal | None:
        """Return the token's principal without waiting if it was verified before; `None`: call this object instead.

        Raises:
            InvalidToken: the token has expired or is revoked.
            RevocationsUnavailable: the token cannot be checked now.
        """
        try:
            principal = self.verifier.remembered(unverified_token)
            if principal is None:
                return None
            self._ensure_not_revoked(principal)
        except InvalidToken as error:
            self._record_refusal(unverified_token.decode("latin-1"), error, context)
            raise
        session = principal.session_id
        if session is not None and not self._is_known((principal.user_id, session)):
            return None
        return principal

    def why_ended(self, principal: Principal, now: float) -> str | None:
        """Why the token of a request still served is not valid now, in seconds since 1970; `None` while it is."""
        if now >= principal.expires_at:
            return "token-expired"
        try:
            return TOKEN_REVOKED if self.revocations.is_revoked(principal) else None
        except RevocationsUnavailable:
            return "unavailable"

    def _ensure_not_revoked(self, principal: Principal) -> None:
        if self.revocations.is_revoked(principal):
            raise InvalidToken(REVOKED)

    def _record_refusal(self, unverified_token: str, error: InvalidToken, context: AuditContext) -> None:
        self.audit.record(
            AuditEvent(
                kind=AuditKind.TOKEN_REFUSED,
                at=self.clock.now(),
                context=context,
                reason=error.reason,
                token_digest=token_digest(unverified_token),
            )
        )

    def _is_known(self, session: tuple[UserId, SessionId]) -> bool:
        if session not in self._known_sessions:
            return False
        self._known_sessions[session] = self._known_sessions.pop(session)  # the most recently used is last
        return True

    def _record_session(self, user: UserId, session: SessionId, context: AuditContext) -> None:
        if len(self._known_sessions) >= self.max_known_sessions:
            del self._known_sessions[next(iter(self._known_sessions))]
        self._known_sessions[user, session] = None
        self.audit.record(
            AuditEvent(
                kind=AuditKind.SESSION_SEEN, at=self.clock.now(), user_id=user, session_id=session, context=context
            )
        )


def _local(limits: "EnforceRateLimits") -> LocalRateLimiter | None:
    return limits.limiter if isinstance(limits.limiter, LocalRateLimiter) else None


@frozen
class EnforceRateLimits:
    """Count requests and reject those above a limit. Without a limit, nothing is counted."""

    users: RateLimit | None
    addresses: RateLimit | None
    limiter: RateLimiter
    audit: AuditLog
    clock: Clock
    _local: LocalRateLimiter | None = field(init=False, default=Factory(_local, takes_self=True))

    @property
    def is_local(self) -> bool:
        """Whether requests are counted in memory, so that `for_user_now` can be used."""
        return self._local is not None

    async def for_user(self, principal: Principal, context: AuditContext) -> RateLimitStatus | None:
        """Count a request with a valid token.

        Raises:
            TooManyRequests: the user has exceeded the limit; recorded in the audit log once per window.
        """
        if self.users is None:
            return None
        status = await self.limiter.hit(f"user:{principal.user_id}", self.users)
        if status.is_exceeded:
            self._refuse(status, context, "user-limit", principal)
        return status

    def for_user_now(self, principal: Principal, context: AuditContext) -> RateLimitStatus | None:
        """The same as `for_user`, without waiting.

        Raises:
            TooManyRequests: see `for_user`.
            RuntimeError: requests are not counted in memory (see `is_local`).
        """
        if self.users is None:
            return None
        if self._local is None:
            raise RuntimeError("requests are not counted in memory")
        status = self._local.hit_now(f"user:{principal.user_id}", self.users)
        if status.is_exceeded:
            self._refuse(status, context, "user-limit", principal)
        return status

    def client(self, context: AuditContext) -> Address:
        """The client of a request."""
        return Address(address_identity(context.peer), self.addresses, self.limiter)

    async def for_address(self, context: AuditContext) -> RateLimitStatus | None:
        """Count an unauthenticated request: without a valid token, or with a rejected security event.

        Nothing is counted beyond the first request above the limit, so that a flood costs a shared counter nothing.

        Raises:
            TooManyRequests: the address has exceeded the limit; recorded in the audit log once per window.
        """
        if self.addresses is None:
            return None
        address = self.client(context)
        address.ensure_within_limit()
        status = await self.limiter.hit(address.key, self.addresses)
        if status.is_exceeded:
            self._refuse(status, context, "address-limit", None)
        return status

    def _refuse(
        self, status: RateLimitStatus, context: AuditContext, reason: str, principal: Principal | None
    ) -> NoReturn:
        if status.is_first_excess:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.LIMIT_HIT,
                    at=self.clock.now(),
                    user_id=principal.user_id if principal else None,
                    session_id=principal.session_id if principal else None,
                    context=context,
                    reason=reason,
                )
            )
        raise TooManyRequests(status)
