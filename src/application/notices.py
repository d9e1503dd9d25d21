"""Who in this process waits for changes of which list."""

import asyncio
from collections.abc import Generator, Hashable
from contextlib import contextmanager

from attrs import define, field


@define(eq=False)
class Subscriptions:
    """Events to set when a list has changed, by the list's key.

    A subscription holds one event and nothing else: however many changes there are, nothing is queued.
    """

    _events: dict[Hashable, set[asyncio.Event]] = field(init=False, factory=dict)

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._events)

    @contextmanager
    def subscribe(self, key: Hashable) -> Generator[asyncio.Event]:
        """An event that each change of the list sets; who waits for it clears it before reading the list."""
        event = asyncio.Event()
        events = self._events.setdefault(key, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events and self._events.get(key) is events:
                del self._events[key]

    def wake(self, key: Hashable) -> None:
        """Set the events of one list."""
        for event in self._events.get(key, ()):
            event.set()

    def wake_all(self) -> None:
        """Set every event: any list may have changed."""
        for events in self._events.values():
            for event in events:
                event.set()
