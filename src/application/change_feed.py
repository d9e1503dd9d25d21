"""The port of change notices, and who in this process waits for changes of which list."""

import asyncio
import time
from collections.abc import Generator, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from attrs import define, field

from domain.identity import UserId


class Notice(asyncio.Event):
    """Set when a list has changed, until it is cleared: however many changes there are, nothing is queued."""

    at = 0.0
    """When it was set, by the monotonic clock."""

    def set(self) -> None:
        """Wake who waits for it."""
        if not self.is_set():
            self.at = time.monotonic()
            super().set()


class ChangeFeed(Protocol):
    """Says that a list has changed, to those who watch it, in every process.

    A notice is a hint, the list is the truth: a notice may be lost or repeated, and tells nothing of the change.
    """

    def notify(self, owner: UserId) -> None:
        """Say that the owner's list has changed, after the commit; never waits and never fails."""

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        """An event that every change of the owner's list sets from now on, shortly after it; to be cleared by its user.

        May be set without a change.
        """


@define(eq=False)
class Subscriptions:
    """Notices to set when a list has changed, by the list's key."""

    _notices: dict[Hashable, set[Notice]] = field(init=False, factory=dict)

    def __len__(self) -> int:
        """How many lists somebody waits for."""
        return len(self._notices)

    def __iter__(self) -> Iterator[Hashable]:
        """The keys of these lists."""
        return iter(self._notices)

    @contextmanager
    def subscribe(self, key: Hashable) -> Generator[Notice]:
        """A notice that each change of the list sets; who waits for it clears it before reading the list."""
        notice = Notice()
        notices = self._notices.setdefault(key, set())
        notices.add(notice)
        try:
            yield notice
        finally:
            notices.discard(notice)
            if not notices and self._notices.get(key) is notices:
                del self._notices[key]

    def wake(self, key: Hashable) -> None:
        """Set the notices of one list."""
        for notice in self._notices.get(key, ()):
            notice.set()

    def wake_all(self) -> None:
        """Set every notice: any list may have changed."""
        for notices in self._notices.values():
            for notice in notices:
                notice.set()
