"""Use cases of clients that keep a copy of a list."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from attrs import Factory, define, field, frozen

from application.change_feed import ChangeFeed, Notice, Rounds, WatchedList
from application.ports import TaskLists
from domain.changes import Change, Changes, ChangesQuery, SyncToken
from domain.errors import StorageUnavailable, SyncTokenExpired
from domain.identity import Principal, UserId
from domain.task import ANY_REVISION
from domain.task_list import TaskQuery

IDLE_AFTER: Final = 14.0
"""Seconds between two visits of a watched list, whose revision is then read: a notice may be lost.

Each visit wakes its watchers, so that each can send a sign of life within 15 s.
"""
PAGE: Final = 50
"""Changes that are read at once for a watcher, who may be slow to take them."""
RETRY_AFTER: Final = (1.0, 3.0)
"""Range of the seconds after which a read that failed is repeated: random, so that not all do at once."""

_REVISION_ONLY: Final = TaskQuery(limit=1)


@frozen
class ReadChanges:
    """Read one page of what has changed in a list since a client last read it."""

    lists: TaskLists

    async def __call__(self, actor: Principal, owner: UserId, query: ChangesQuery) -> Changes:
        """Raise AccessDenied before the list is opened, SyncTokenExpired, or StorageUnavailable."""
        actor.ensure_owns(owner)
        return await self.lists.open(owner).changes(query)


@frozen
class Started:
    """What changes after this position will follow."""

    position: SyncToken


@frozen
class Changed:
    """Some changes, in the order of their revisions, the first of them after a position."""

    changes: tuple[Change, ...]
    after: SyncToken
    noticed_at: float | None
    """When this process noticed that there were some, by the monotonic clock; `None` when catching up."""


@frozen
class Reset:
    """The list is to be read anew: what has changed since the last position is unknown. What follows it, follows."""

    position: SyncToken


@frozen
class Idle:
    """Time has passed in which nothing may have changed, or nothing can be read now."""


Update = Started | Changed | Reset | Idle


@define
class WatchChanges:
    """Follow a list: what has changed since a position, and then each change soon after it was made."""

    lists: TaskLists
    feed: ChangeFeed
    idle_after: float = IDLE_AFTER
    retry_after: tuple[float, float] = RETRY_AFTER
    _starting: "dict[tuple[UserId, SyncToken], asyncio.Task[Changes]]" = field(init=False, factory=dict)
    """Reads that have not begun: others who want the same join them."""
    _rounds: Rounds = field(
        init=False, default=Factory(lambda self: Rounds(self._look, self.idle_after), takes_self=True)
    )

    def __call__(self, actor: Principal, owner: UserId, since: SyncToken | None) -> AsyncGenerator[Update]:
        """Yield updates without end, first Started: from `since`, or from now on.

        Nothing is queued for who takes them slowly: what was missed is read when it can be taken. Several changes of a
        task may come as one. Positions strictly rise until there is a Reset.

        Raises AccessDenied before the list is opened. The first update raises StorageUnavailable; later ones come late.
        """
        actor.ensure_owns(owner)
        return self._watch(owner, since)

    async def _watch(self, owner: UserId, since: SyncToken | None) -> AsyncGenerator[Update]:
        with self.feed.subscribe(owner) as notice:
            position = since or await self._present(owner)
            found: Changes | SyncToken | None = Changes((), position, has_more=False)
            if since is not None:
                found = await self._read(owner, position)
            self._rounds.add(owner, notice, position)
            try:
                yield Started(position)
                noticed_at: float | None = None
                while True:
                    is_all = False
                    match found:
                        case None:
                            yield Idle()
                            await asyncio.sleep(random.uniform(*self.retry_after))  # noqa: S311  (spreads the watchers)
                        case SyncToken():
                            position, is_all = found, True
                            yield Reset(position)
                        case Changes():
                            if found.found:
                                yield Changed(found.found, position, noticed_at)
                            position, is_all = found.token, not found.has_more
                    del found  # it may be large, and the next change may be hours away
                    if is_all:
                        while not notice.is_set():
                            await notice.wait()
                            if notice.is_due and not notice.is_set():
                                notice.is_due = False
                                yield Idle()
                        noticed_at = notice.at
                    found = await self._read_after(owner, position, notice)
            finally:
                self._rounds.remove(owner, notice)

    async def _read_after(self, owner: UserId, position: SyncToken, notice: Notice) -> Changes | SyncToken | None:
        """See `_read`; `None` while that is impossible."""
        notice.clear()  # before the read, which sees every change that a notice up to now is about
        with suppress(StorageUnavailable):
            return await self._read(owner, position)
        return None

    async def _look(self, watched: WatchedList) -> None:
        """Wake who watches the list, if it has changed since the last look and may not have said so."""
        with suppress(StorageUnavailable):
            present = await self._present(watched.owner)
            if present != watched.seen:
                watched.seen = present
                for notice in watched.notices:
                    notice.set(is_late=True)

    async def _read(self, owner: UserId, position: SyncToken) -> Changes | SyncToken:
        """The changes after a position; where they are unknown, the present position."""
        key = (owner, position)
        read = self._starting.get(key)
        if read is None:
            read = self._starting[key] = asyncio.create_task(self._begin_read(key))
            read.add_done_callback(lambda done: done.cancelled() or done.exception())  # all who waited may have gone
        try:
            return await asyncio.shield(read)
        except SyncTokenExpired:
            return await self._present(owner)

    async def _begin_read(self, key: tuple[UserId, SyncToken]) -> Changes:
        """A task, so that those whom the same notice wakes have joined before it begins, and nobody does afterwards."""
        del self._starting[key]
        owner, position = key
        return await self.lists.open(owner).changes(ChangesQuery(position, PAGE))

    async def _present(self, owner: UserId) -> SyncToken:
        """The list's present position."""
        page = await self.lists.open(owner).page(_REVISION_ONLY, known=ANY_REVISION)
        return SyncToken(page.revision)
