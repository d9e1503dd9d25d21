"""Revocations in memory."""

from attrs import Factory, frozen

from domain.identity import Principal, SessionId, UserId


@frozen
class MemoryRevocations:
    """Sessions that have ended, until the process ends."""

    sessions: set[tuple[UserId, SessionId]] = Factory(set)

    def is_revoked(self, principal: Principal) -> bool:
        """See the port."""
        return principal.session_id is not None and (principal.user_id, principal.session_id) in self.sessions
