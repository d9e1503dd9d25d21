"""Revocations in memory."""

from datetime import datetime, timedelta

from attrs import Factory, frozen

from application.ports import Clock
from domain.identity import Principal, SessionId, UserId
from domain.revocation import Revocation, RevocationSet


@frozen
class MemoryRevocations:
    """The port's Revocations, in this process."""

    _clock: Clock
    _keep_for: timedelta
    """The longest lifetime of a token, and so how long a revocation is kept."""
    _revoked: RevocationSet = Factory(RevocationSet)

    def is_revoked(self, principal: Principal) -> bool:
        """See the port."""
        return self._revoked.matches(principal)

    async def revoke(self, user_id: UserId, session_id: SessionId | None, at: datetime) -> None:
        """See the port."""
        now = self._clock.now()
        self._revoked.purge_expired(now)
        self._revoked.add(Revocation(user_id, session_id, at, now + self._keep_for))

    async def wait_for_propagation(self) -> None:
        """See the port: with one process there is nothing to wait for."""
