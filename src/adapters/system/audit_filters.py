"""Filters in front of the audit log's table: one logs each event, one limits floods."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Final

from attrs import define, field, frozen

from application.ports import AuditLog
from domain.audit import AuditEvent, AuditKind, token_digest
from domain.identity import UserId, address_identity, wider_networks

logger = logging.getLogger("audit")

PER_WINDOW: Final = 30
"""Events of one kind, reason and source that are forwarded in a window; the rest are counted."""
WINDOW: Final = 60.0
"""Seconds."""
MAX_SOURCES: Final = 1000
"""Sources of one kind and reason that are counted separately in a window, and as many at each wider network."""

_EVERYONE: Final = ""
"""The source of last resort."""

_Group = tuple[AuditKind, str | None]
_Counts = dict[str, int]

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
    """Forward at most 30 events a minute of each kind, reason and source; count the rest.

    Otherwise a thousand bad tokens a second would fill the disk with equal lines. The number of events left out is
    logged once a window. Events that need a valid token or the issuer's key are always forwarded.

    A source is the identity of an address, so that one /64 is one source, and the user if a valid token names one. Each
    kind and reason has sources of its own, because behind a proxy all clients share one address: a flood of malformed
    tokens must not hide the use of a revoked one. There are about forty reasons, none of them text of a client's.

    Nor must a flood from endless sources hide the others'. Beyond MAX_SOURCES, further ones are counted by the network
    they are in: the site (an IPv6 /48, an IPv4 /24), then the provider (/32, /16), then the region (/16, /8). So a
    flood hides only events of its own reason, of new sources, and of networks that it holds more addresses in than
    that.
    """

    _next: AuditLog
    _monotonic: Callable[[], float] = time.monotonic
    _max_sources: int = MAX_SOURCES
    _counts: dict[_Group, list[_Counts]] = field(init=False, factory=dict)
    """For each kind and reason, the counts by identity and by each wider network, and that of everyone else."""
    _window_ends: float = field(init=False, default=float("-inf"))
    _left_out: int = field(init=False, default=0)
    """In this window."""
    left_out: int = field(init=False, default=0)
    """All together."""

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        if event.kind not in _NEED_NO_CREDENTIALS:
            self._next.record(event)
            return
        if (now := self._monotonic()) >= self._window_ends:
            self._begin_window(now)
        if self._count(event) <= PER_WINDOW:
            self._next.record(event)
        else:
            self._left_out += 1
            self.left_out += 1

    def _count(self, event: AuditEvent) -> int:
        """The number of events of this source in the window, this one included."""
        levels = self._counts.setdefault((event.kind, event.reason), [])
        counts: _Counts = {}
        source = _EVERYONE
        for level, source in enumerate(_sources(event)):
            if level == len(levels):
                levels.append({})
            counts = levels[level]
            if source in counts or len(counts) < self._max_sources:
                break
        counts[source] = counts.get(source, 0) + 1
        return counts[source]

    def _begin_window(self, now: float) -> None:
        if self._left_out:
            logger.warning("audit events left out: too many of one kind", extra={"left_out": self._left_out})
        self._counts.clear()
        self._left_out = 0
        self._window_ends = now + WINDOW


def _sources(event: AuditEvent) -> Iterator[str]:
    """The event's source, then the networks that it is in, each wider than the one before, and everyone at last."""
    peer = event.context.peer if event.context else None
    identity = address_identity(peer)
    yield identity if event.user_id is None else f"{identity} {event.user_id}"
    yield from wider_networks(peer)
    yield _EVERYONE
