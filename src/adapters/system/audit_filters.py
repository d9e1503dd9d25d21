"""What stands before the audit log's table: every event is a log line as well, and a flood stays small."""

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
"""Events of one kind, address, user and reason that are kept in a window; the rest are counted."""
WINDOW: Final = 60.0
"""Seconds."""
MAX_ORIGINS: Final = 10_000
"""Combinations of those that are told apart within a window; an attacker with more of them shares one count a kind."""

_Sort = tuple[AuditKind, str | None, UserId | None, str | None]

_ASKED_FOR_BY_ANYBODY: Final = frozenset({AuditKind.TOKEN_REFUSED, AuditKind.ACCESS_DENIED})


@frozen
class LoggingAuditLog:
    """Writes each event as a structured log line, at once, and passes it on."""

    _next: AuditLog

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        context = event.context
        known = {
            "kind": event.kind.value,
            "user_id": _opaque(event.user_id),
            "session_id": event.session_id,
            "request_id": context.request_id if context else None,
            "peer": context.peer if context else None,
            "reason": event.reason,
            "token_digest": event.token_digest,
        }
        logger.info("audit", extra={name: value for name, value in known.items() if value is not None})
        self._next.record(event)


def _opaque(user: UserId | None) -> str | None:
    """An issuer may name its users by their e-mail addresses; in a log line such a name is told by its digest."""
    return f"sha256:{token_digest(user)}" if user is not None and "@" in user else user


@define(eq=False)
class RateLimitedAuditLog:
    """Passes on so many events of what anybody can cause as a person could read, and counts the rest.

    Who sends a thousand bad tokens a second would else fill the disk with lines that all say the same. What is left
    out is told once a window, with the number. Events that need a good token or the issuer's key always pass.

    Reasons and users are told apart, because behind a proxy all share one address: a flood of garbage must not hide
    that a revoked token was tried, nor one user's another's. There are some forty reasons, and a user is there only
    when a token proved it, so that nobody multiplies what is theirs at will.
    """

    _next: AuditLog
    _monotonic: Callable[[], float] = time.monotonic
    _seen: dict[_Sort, int] = field(init=False, factory=dict)
    _window_ends: float = field(init=False, default=float("-inf"))
    _left_out: int = field(init=False, default=0)

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        if event.kind not in _ASKED_FOR_BY_ANYBODY:
            self._next.record(event)
            return
        if (now := self._monotonic()) >= self._window_ends:
            self._begin_window(now)
        key: _Sort = (event.kind, event.context.peer if event.context else None, event.user_id, event.reason)
        if key not in self._seen and len(self._seen) >= MAX_ORIGINS:
            key = (event.kind, None, None, None)
        count = self._seen[key] = self._seen.get(key, 0) + 1
        if count <= PER_WINDOW:
            self._next.record(event)
        else:
            self._left_out += 1

    def _begin_window(self, now: float) -> None:
        if self._left_out:
            logger.warning("audit events left out: too many of one kind", extra={"left_out": self._left_out})
        self._seen.clear()
        self._left_out = 0
        self._window_ends = now + WINDOW
