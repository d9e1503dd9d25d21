"""Audit events: who did what, from where. They hold no secrets and no user content."""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from attrs import frozen

from domain.identity import SessionId, UserId


class AuditKind(StrEnum):
    """The kinds of events that are recorded."""

    TOKEN_REFUSED = "token-refused"  # noqa: S105  (no password)
    ACCESS_DENIED = "access-denied"
    SESSION_SEEN = "session-seen"
    SESSION_REVOKED = "session-revoked"
    ACCOUNT_PURGED = "account-purged"
    KEYS_CHANGED = "keys-changed"
    LIMIT_HIT = "limit-hit"


@frozen
class AuditContext:
    """The request in which an event happened."""

    request_id: str
    peer: str | None = None
    """The client's address, as far as it can be trusted."""


@frozen(kw_only=True)
class AuditEvent:
    """One recorded event. IDs are opaque; `user_id` is set only if a token or a security event proved it."""

    kind: AuditKind
    at: datetime
    user_id: UserId | None = None
    session_id: SessionId | None = None
    context: AuditContext | None = None
    reason: str | None = None
    """A constant of this program, never text from a request."""
    token_digest: str | None = None
    """The first 16 hexadecimal digits of the token's SHA-256: identifies a token without revealing it."""


@frozen(kw_only=True)
class AuditQuery:
    """Which recorded events are wanted: of one user, since an instant, of some kinds; the newest of them."""

    user: UserId | None = None
    since: datetime | None = None
    kinds: frozenset[AuditKind] = frozenset()
    """Empty: all."""
    limit: int | None = None
    """`None`: any number."""


ALL_EVENTS: Final = AuditQuery()


def token_digest(token: str) -> str:
    """Return the digest under which a token is recorded."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16]
