"""What does not count any more though it was signed, and how long one has to remember that."""

import math
from datetime import datetime

from attrs import define, field, frozen

from domain.identity import Principal, SessionId, UserId


@frozen
class Revocation:
    """The end of one session, or of every token of a user that was issued up to some instant."""

    user_id: UserId
    session_id: SessionId | None
    """`None`: every session."""
    revoked_at: datetime
    expires_at: datetime
    """When the last token that this could concern has expired."""

    def matches(self, principal: Principal) -> bool:
        """Whether the principal's token has ended with this.

        A session's tokens all end with it. Of a user's tokens those do that were issued up to then. Either date may be
        in whole seconds and so too early: a token of the same second ends, too.
        """
        if principal.user_id != self.user_id:
            return False
        if self.session_id is not None:
            return principal.session_id == self.session_id
        return math.floor(principal.issued_at) <= self.revoked_at.timestamp()


@define
class RevocationSet:
    """Every revocation that still matters, to be asked at each request."""

    _users: dict[UserId, dict[SessionId | None, Revocation]] = field(init=False, factory=dict)

    def add(self, revocation: Revocation) -> None:
        """Remember one; of several on the same, the later counts."""
        sessions = self._users.setdefault(revocation.user_id, {})
        known = sessions.get(revocation.session_id)
        if known is None or revocation.revoked_at >= known.revoked_at:
            sessions[revocation.session_id] = revocation

    def matches(self, principal: Principal) -> bool:
        """Whether the principal's token has ended with one of them."""
        sessions = self._users.get(principal.user_id)
        if sessions is None:
            return False
        ended = sessions.get(principal.session_id), sessions.get(None)
        return any(one is not None and one.matches(principal) for one in ended)

    def purge_expired(self, now: datetime) -> None:
        """Drop those that concern no living token."""
        for user, sessions in list(self._users.items()):
            for session in [session for session, one in sessions.items() if one.expires_at <= now]:
                del sessions[session]
            if not sessions:
                del self._users[user]

    def __len__(self) -> int:
        return sum(map(len, self._users.values()))


@frozen
class SessionRevoked:
    """A session has ended, or all of a user's have."""

    user_id: UserId
    session_id: SessionId | None
    """`None`: every session up to `at`."""
    at: datetime


@frozen
class AccountPurged:
    """An account is gone for good, and what belongs to it is to go, too."""

    user_id: UserId
    at: datetime


SecurityEvent = SessionRevoked | AccountPurged
