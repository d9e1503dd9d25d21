"""The audit log and the revocations in memory."""

from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from attrs import Factory, frozen

from application.ports import Clock
from domain.audit import AuditEvent, AuditKind
from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet, TokenLifetimes

MAX_EVENTS: Final = 10_000


@frozen
class MemoryAuditLog:
    """The ports' AuditLog and AuditTrail: the newest events of this process."""

    events: deque[AuditEvent] = Factory(lambda: deque(maxlen=MAX_EVENTS))

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        self.events.append(event)

    async def read(
        self,
        *,
        user: UserId | None = None,
        since: datetime | None = None,
        kinds: frozenset[AuditKind] = frozenset(),
        limit: int | None = None,
    ) -> AsyncIterator[AuditEvent]:
        """See the port."""
        found = [
            event
            for event in sorted(self.events, key=lambda event: event.at)
            if user in {None, event.user_id}
            and (since is None or event.at >= since)
            and (not kinds or event.kind in kinds)
        ]
        for event in found if limit is None else found[-limit:]:
            yield event

    async def purge_before(self, instant: datetime) -> int:
        """See the port."""
        kept = [event for event in self.events if event.at >= instant]
        purged = len(self.events) - len(kept)
        self.events.clear()
        self.events.extend(kept)
        return purged


@frozen
class MemoryRevocations:
    """The port's Revocations, in this process."""

    _clock: Clock
    _lifetimes: TokenLifetimes
    _revoked: RevocationSet = Factory(RevocationSet)

    def is_revoked(self, principal: Principal) -> bool:
        """See the port."""
        return self._revoked.matches(principal)

    async def revoke(
        self, user_id: UserId, session_id: SessionId | None, at: datetime, token_lifetime: float | None = None
    ) -> None:
        """See the port."""
        now = self._clock.now()
        deque(self._revoked.purge_expired(now), maxlen=0)
        self._revoked.add(Revocation(user_id, session_id, at, now + self._lifetimes.retention(token_lifetime)))
