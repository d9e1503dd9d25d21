"""What the audit log keeps: who did what, from where; nothing secret, and nothing a person wrote."""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from attrs import frozen

from domain.identity import SessionId, UserId


class AuditKind(StrEnum):
    """What can be worth remembering."""

    TOKEN_REFUSED = "token-refused"  # noqa: S105  (no password)
    ACCESS_DENIED = "access-denied"
    SESSION_SEEN = "session-seen"
    SESSION_REVOKED = "session-revoked"
    ACCOUNT_PURGED = "account-purged"
    KEYS_CHANGED = "keys-changed"
    LIMIT_HIT = "limit-hit"


@frozen
class AuditContext:
    """Which request something happened in."""

    request_id: str
    peer: str | None = None
    """The client's address, as far as it can be trusted."""


@frozen(kw_only=True)
class AuditEvent:
    """One thing that happened. Ids are opaque; the user's is there only when a token or an event proved it."""

    kind: AuditKind
    at: datetime
    user_id: UserId | None = None
    session_id: SessionId | None = None
    origin: AuditContext | None = None
    reason: str | None = None
    """One of our own fixed words or sentences: never a word out of a request."""
    token_digest: str | None = None
    """The first 16 hexadecimal digits of the token's SHA-256: tells tokens apart, and is none."""


def token_digest(token: str) -> str:
    """What is kept of a token: enough to tell it from others."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16]
