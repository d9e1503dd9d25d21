"""The port of change notices, and who in this process waits for changes of which list."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, Self

from attrs import define, field

from domain.changes import SyncToken
from domain.identity import UserId

SLICES: Final = 300
"""Of the watched lists, which are visited one after the other: few lists at once, so that requests wait briefly."""


@define(eq=False)
class Notice:
    """Set when a list has changed, until it is cleared: however many changes there are, nothing is queued.

    A context manager: its list is watched inside it. One waits for it at a time, so that it takes a tenth of the
    memory of an asyncio.Event.
    """

    _subscriptions: "Subscriptions"
    _key: Hashable
    at: float | None = field(init=False, default=None)
    """When the change was noticed, by the monotonic clock; `None`: only when the list was visited."""
    is_due: bool = field(init=False, default=False)
    """Whether the list was visited since its watcher last noted that; see Rounds."""
    _is_set: bool = field(init=False, default=False)
    _waiter: "asyncio.Future[None] | None" = field(init=False, default=None)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._subscriptions.add(self._key, self)
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._subscriptions.remove(self._key, self)

    def is_set(self) -> bool:
        """Whether the list has changed."""
        return self._is_set

    def set(self, *, is_late: bool = False) -> None:
        """Wake who waits for it."""
        if not self._is_set:
            self._is_set, self.at = True, None if is_late else time.monotonic()
            self._wake()

    def set_due(self) -> None:
        """Wake who waits for it, although nothing is known to have changed."""
        self.is_due = True
        self._wake()

    def clear(self) -> None:
        """Wait for the next change; to be called before the list is read."""
        self._is_set = False

    def wait(self) -> "asyncio.Future[None]":
        """Is done when it is set, or due."""
        self._waiter = asyncio.get_running_loop().create_future()
        if self._is_set or self.is_due:
            self._waiter.set_result(None)
        return self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ChangeFeed(Protocol):
    """Says that a list has changed, to those who watch it, in every process.

    A notice is a hint, the list is the truth: a notice may be lost or repeated, and tells nothing of the change.
    """

    def notify(self, owner: UserId) -> None:
        """Say that the owner's list has changed, after the commit; never waits and never fails."""

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        """A notice that every change of the owner's list sets, shortly after it; to be cleared by its user.

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

    def subscribe(self, key: Hashable) -> Notice:
        """A notice that each change of the list sets; who waits for it clears it before reading the list."""
        return Notice(self, key)

    def add(self, key: Hashable, notice: Notice) -> None:
        """Set this notice from now on."""
        self._notices.setdefault(key, set()).add(notice)

    def remove(self, key: Hashable, notice: Notice) -> None:
        """Set it no more."""
        notices = self._notices[key]
        notices.discard(notice)
        if not notices:
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


@define(eq=False)
class WatchedList:
    """A list that somebody in this process watches."""

    owner: UserId
    seen: SyncToken
    """Its position at the last visit."""
    notices: set[Notice] = field(init=False, factory=set)
    is_visited: bool = field(init=False, default=False)
    """Whether a visit has begun and not ended."""


@define(eq=False)
class Rounds:
    """Visits each watched list once in every so many seconds, and sets its notices due; one timer serves all."""

    _visit: Callable[[WatchedList], Coroutine[Any, Any, None]]
    _seconds: float
    _slices: tuple[dict[UserId, WatchedList], ...] = field(init=False, factory=lambda: tuple({} for _ in range(SLICES)))
    _walk: "asyncio.Task[None] | None" = field(init=False, default=None)
    _visits: "set[asyncio.Task[None]]" = field(init=False, factory=set)

    def add(self, owner: UserId, notice: Notice, seen: SyncToken) -> None:
        """Visit this list, too; `seen` is where a watcher that just began was."""
        lists = self._slice(owner)
        watched = lists.get(owner)
        if watched is None:
            watched = lists[owner] = WatchedList(owner, seen)
        watched.notices.add(notice)
        if self._walk is None or self._walk.done():
            self._walk = asyncio.create_task(self._go_round())

    def remove(self, owner: UserId, notice: Notice) -> None:
        """Nobody waits for this notice any more."""
        lists = self._slice(owner)
        lists[owner].notices.discard(notice)
        if not lists[owner].notices:
            del lists[owner]

    def _slice(self, owner: UserId) -> dict[UserId, WatchedList]:
        return self._slices[hash(owner) % SLICES]

    async def _go_round(self) -> None:
        """Until nobody watches anything. What is late does not delay the next visits, unless it is late by a round."""
        loop, pause = asyncio.get_running_loop(), self._seconds / SLICES
        due = loop.time()
        while any(self._slices):
            for lists in self._slices:
                due = max(due + pause, loop.time() - self._seconds)
                await asyncio.sleep(due - loop.time())
                for watched in lists.values():
                    self._begin_visit(watched)

    def _begin_visit(self, watched: WatchedList) -> None:
        if watched.is_visited:
            return  # it takes longer than a round
        for notice in watched.notices:
            notice.set_due()
        watched.is_visited = True
        visit = asyncio.create_task(self._visit(watched))
        self._visits.add(visit)
        visit.add_done_callback(lambda done: self._end_visit(watched, done))

    def _end_visit(self, watched: WatchedList, visit: "asyncio.Task[None]") -> None:
        watched.is_visited = False
        self._visits.discard(visit)
