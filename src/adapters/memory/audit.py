"""The audit log in memory."""

from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from attrs import Factory, frozen

from domain.audit import AuditEvent, AuditKind
from domain.identity import UserId

KEPT: Final = 10_000
"""Events."""


@frozen
class MemoryAuditLog:
    """Keeps the newest events until the process ends; to be written and to be read."""

    events: deque[AuditEvent] = Factory(lambda: deque(maxlen=KEPT))

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        self.events.append(event)

    async def read(
        self,
        *,
        user: UserId | None = None,
        since: datetime | None = None,
        kinds: frozenset[AuditKind] = frozenset(),
        limit: int | None = None,
    ) -> AsyncIterator[AuditEvent]:
        """See the port."""
        wanted = [
            event
            for event in sorted(self.events, key=lambda event: event.at)
            if user in {None, event.user_id}
            and (since is None or event.at >= since)
            and (not kinds or event.kind in kinds)
        ]
        for event in wanted if limit is None else wanted[-limit:]:
            yield event

    async def purge_before(self, instant: datetime) -> int:
        """See the port."""
        kept = [event for event in self.events if event.at >= instant]
        forgotten = len(self.events) - len(kept)
        self.events.clear()
        self.events.extend(kept)
        return forgotten
