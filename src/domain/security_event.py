"""What an issuer tells of its sessions and accounts (RFC 8417)."""

from datetime import datetime

from attrs import frozen

from domain.identity import SessionId, UserId


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
