"""The ports of access control in memory: audit log, revocations, and the counters of rate limits."""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

from attrs import Factory, define, field, frozen

from application.ports import Clock
from domain.audit import ALL_EVENTS, AuditEvent, AuditQuery
from domain.identity import Principal, SessionId, UserId
from domain.rate_limit import RateLimit, RateLimitStatus
from domain.revocation import Revocation, RevocationSet, TokenLifetimes

MAX_EVENTS: Final = 10_000
MAX_KEYS: Final = 100_000
"""Keys in one window, about 15 MB; further ones evict the oldest."""


@frozen
class MemoryAuditLog:
    """The ports' AuditLog and AuditTrail: the newest events of this process."""

    events: deque[AuditEvent] = Factory(lambda: deque(maxlen=MAX_EVENTS))

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        self.events.append(event)

    async def read(self, query: AuditQuery = ALL_EVENTS) -> AsyncIterator[AuditEvent]:
        """See the port."""
        found = [
            event
            for event in sorted(self.events, key=lambda event: event.at)
            if query.user in {None, event.user_id}
            and (query.since is None or event.at >= query.since)
            and (not query.kinds or event.kind in query.kinds)
        ]
        for event in found if query.limit is None else found[-query.limit :]:
            yield event

    async def purge_before(self, instant: datetime) -> int:
        """See the port."""
        kept = [event for event in self.events if event.at >= instant]
        purged = len(self.events) - len(kept)
        self.events.clear()
        self.events.extend(kept)
        return purged


@frozen
class MemoryRevocations:
    """The port's Revocations, in this process."""

    _clock: Clock
    _lifetimes: TokenLifetimes
    _revoked: RevocationSet = Factory(RevocationSet)

    def is_revoked(self, principal: Principal) -> bool:
        """See the port."""
        return self._revoked.matches(principal)

    async def revoke(
        self, user_id: UserId, session_id: SessionId | None, at: datetime, token_lifetime: float | None = None
    ) -> None:
        """See the port."""
        now = self._clock.now()
        deque(self._revoked.purge_expired(now), maxlen=0)
        self._revoked.add(Revocation(user_id, session_id, at, now + self._lifetimes.retention(token_lifetime)))


@define
class _Window:
    number: float
    counts: dict[str, int] = field(factory=dict)


@define
class MemoryRateLimiter:
    """The port's LocalRateLimiter for one process: each window is a dictionary, which the next window replaces."""

    _now: Callable[[], float] = time.time
    _max_keys: int = MAX_KEYS
    _windows: dict[tuple[str, int], _Window] = field(init=False, factory=dict)
    """The current window of each limit."""

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        return self.hit_now(key, limit)

    def hit_now(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """See the port."""
        counts, left = self._window(limit)
        used = counts.get(key, 0) + 1
        if used == 1 and len(counts) >= self._max_keys:
            del counts[next(iter(counts))]
        counts[key] = used
        return RateLimitStatus(limit, used, left)

    def known(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        """See the port."""
        counts, left = self._window(limit)
        used = counts.get(key)
        return None if used is None else RateLimitStatus(limit, used, left)

    def note(self, key: str, limit: RateLimit, used: int) -> None:
        """See the port."""
        counts, _ = self._window(limit)
        if key not in counts and len(counts) >= self._max_keys:
            del counts[next(iter(counts))]
        counts[key] = used

    def _window(self, limit: RateLimit) -> tuple[dict[str, int], float]:
        """The counts of the limit's current window, and the seconds until its end."""
        number, elapsed = divmod(self._now(), limit.seconds)
        window = self._windows.get((limit.policy, limit.seconds))
        if window is None or window.number != number:
            window = self._windows[limit.policy, limit.seconds] = _Window(number)
        return window.counts, limit.seconds - elapsed
