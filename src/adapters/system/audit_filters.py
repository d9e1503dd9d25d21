"""Filters in front of the audit log's table: one logs each event, one limits floods."""

import logging
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen

from application.ports import AuditLog
from domain.audit import AuditEvent, AuditKind, token_digest
from domain.identity import UserId

logger = logging.getLogger("audit")

PER_WINDOW: Final = 30
"""Events of one kind, address, user and reason that are forwarded in a window; the rest are counted."""
WINDOW: Final = 60.0
"""Seconds."""
MAX_SOURCES: Final = 10_000
"""Combinations of those that are counted separately in a window; further ones share one count for each kind."""

_Source = tuple[AuditKind, str | None, UserId | None, str | None]

_NEED_NO_CREDENTIALS: Final = frozenset({AuditKind.TOKEN_REFUSED, AuditKind.ACCESS_DENIED})
"""Kinds of events that anybody can cause."""


@frozen
class LoggingAuditLog:
    """Logs each event as a structured line, and forwards it."""

    _next: AuditLog

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        context = event.context
        fields = {
            "kind": event.kind.value,
            "user_id": _without_email(event.user_id),
            "session_id": event.session_id,
            "request_id": context.request_id if context else None,
            "peer": context.peer if context else None,
            "reason": event.reason,
            "token_digest": event.token_digest,
        }
        logger.info("audit", extra={name: value for name, value in fields.items() if value is not None})
        self._next.record(event)


def _without_email(user: UserId | None) -> str | None:
    """The user's id for a log line; an issuer may use e-mail addresses as ids, which are replaced by their digest."""
    return f"sha256:{token_digest(user)}" if user is not None and "@" in user else user


@define(eq=False)
class RateLimitedAuditLog:
    """Forward at most 30 events a minute of each kind, address, user and reason; count the rest.

    Otherwise a thousand bad tokens a second would fill the disk with equal lines. The number of events left out is
    logged once a window. Events that need a valid token or the issuer's key are always forwarded.

    Reasons and users are counted separately, because behind a proxy all clients share one address: a flood of malformed
    tokens must not hide the use of a revoked one, nor one user's events another's. There are about forty reasons, and a
    user is known only from a valid token, so that nobody can multiply these combinations at will.
    """

    _next: AuditLog
    _monotonic: Callable[[], float] = time.monotonic
    _max_sources: int = MAX_SOURCES
    _counts: dict[_Source, int] = field(init=False, factory=dict)
    _window_ends: float = field(init=False, default=float("-inf"))
    _left_out: int = field(init=False, default=0)

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        if event.kind not in _NEED_NO_CREDENTIALS:
            self._next.record(event)
            return
        if (now := self._monotonic()) >= self._window_ends:
            self._begin_window(now)
        source: _Source = (event.kind, event.context.peer if event.context else None, event.user_id, event.reason)
        if source not in self._counts and len(self._counts) >= self._max_sources:
            source = (event.kind, None, None, None)
        count = self._counts[source] = self._counts.get(source, 0) + 1
        if count <= PER_WINDOW:
            self._next.record(event)
        else:
            self._left_out += 1

    def _begin_window(self, now: float) -> None:
        if self._left_out:
            logger.warning("audit events left out: too many of one kind", extra={"left_out": self._left_out})
        self._counts.clear()
        self._left_out = 0
        self._window_ends = now + WINDOW
