"""The audit log in memory."""

from collections import deque
from typing import Final

from attrs import Factory, frozen

from domain.audit import AuditEvent

KEPT: Final = 10_000
"""Events."""


@frozen
class MemoryAuditLog:
    """Keeps the newest events, in order, until the process ends."""

    events: deque[AuditEvent] = Factory(lambda: deque(maxlen=KEPT))

    def record(self, event: AuditEvent) -> None:
        """See the port."""
        self.events.append(event)
