"""Revocation of tokens before they expire: the events that cause it, and the set that requests are checked against."""

from datetime import datetime
from typing import Final

from attrs import define, field, frozen

from domain.identity import Principal, SessionId, UserId

REVOKED: Final = "The token has been revoked."
"""Why a revoked token is invalid, wherever that is noticed."""


@frozen
class SessionRevoked:
    """A session, or all sessions of a user, ended."""

    user_id: UserId
    session_id: SessionId | None
    """`None`: every session up to `at`."""
    at: datetime


@frozen
class AccountPurged:
    """An account was deleted; its data must be deleted too."""

    user_id: UserId
    at: datetime


SecurityEvent = SessionRevoked | AccountPurged


@frozen
class Revocation:
    """Revokes one session, or all tokens of a user issued up to an instant."""

    user_id: UserId
    session_id: SessionId | None
    """`None`: every session."""
    revoked_at: datetime
    expires_at: datetime
    """When the last token that this can match has expired."""

    def matches(self, principal: Principal) -> bool:
        """Whether this revokes the principal's token.

        A session's revocation matches all of its tokens. A user's revocation matches the tokens issued up to
        `revoked_at`, those of the same second included.
        """
        if principal.user_id != self.user_id:
            return False
        if self.session_id is not None:
            return principal.session_id == self.session_id
        return principal.was_issued_by(self.revoked_at)


@define
class RevocationSet:
    """All revocations that have not expired, indexed by user."""

    _users: dict[UserId, dict[SessionId | None, Revocation]] = field(init=False, factory=dict)

    def add(self, revocation: Revocation) -> None:
        """Add a revocation. Of several for the same session, or the same user, the latest is kept."""
        sessions = self._users.setdefault(revocation.user_id, {})
        known = sessions.get(revocation.session_id)
        if known is None or revocation.revoked_at >= known.revoked_at:
            sessions[revocation.session_id] = revocation

    def matches(self, principal: Principal) -> bool:
        """Whether any revocation in the set revokes the principal's token."""
        sessions = self._users.get(principal.user_id)
        if sessions is None:
            return False
        candidates = sessions.get(principal.session_id), sessions.get(None)
        return any(one is not None and one.matches(principal) for one in candidates)

    def purge_expired(self, now: datetime) -> None:
        """Remove the revocations that no unexpired token can match."""
        for user, sessions in list(self._users.items()):
            for session in [session for session, one in sessions.items() if one.expires_at <= now]:
                del sessions[session]
            if not sessions:
                del self._users[user]

    def __len__(self) -> int:
        return sum(map(len, self._users.values()))
