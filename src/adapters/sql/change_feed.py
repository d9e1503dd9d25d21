"""Change notices between the workers of one database."""

import asyncio
import json
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Hashable
from contextlib import AbstractContextManager, closing, suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from attrs import define, field

from adapters.sql.listener import Listener
from adapters.sql.sqlite import create_private
from application.notices import Notice, Subscriptions
from domain.identity import UserId

CHANNEL: Final = "evo_todo_changes"
GATHER: Final = 0.005
"""Seconds for which notices are gathered into one notification."""
POLL_INTERVAL: Final = 0.2
"""Seconds between two looks at whether another process has changed the SQLite file, while anybody waits."""
DIGEST_LENGTH: Final = 12
"""Characters that stand for an owner in a notification, so that it names nobody."""
MAX_OWNERS: Final = 600
"""In one notification, whose payload PostgreSQL limits to 8000 bytes."""

_REVISIONS: Final = "SELECT owner_id, revision FROM task_lists WHERE owner_id IN (SELECT value FROM json_each(?))"


@lru_cache(4096)
def digest(owner: UserId) -> str:
    """What a notification calls the owner: 72 bits of BLAKE2b. A collision would only wake both."""
    return urlsafe_b64encode(blake2b(owner.encode(), digest_size=9).digest()).decode()


@define(eq=False)
class PostgresChangeFeed:
    """The port's ChangeFeed: at once in this process, and by NOTIFY in the others, after the commit.

    NOTIFY inside the transaction of a change would take a lock that all commits of the database share.
    """

    _listener: Listener
    _gather: float = GATHER
    _subscriptions: Subscriptions = field(init=False, factory=Subscriptions)
    _pending: dict[str, None] = field(init=False, factory=dict)
    _has_pending: asyncio.Event = field(init=False, factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self._listener.on(CHANNEL, self._receive)

    def notify(self, owner: UserId) -> None:
        """See the port."""
        key = digest(owner)
        self._subscriptions.wake(key)
        self._pending[key] = None
        self._has_pending.set()

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        """See the port."""
        return self._subscriptions.subscribe(digest(owner))

    async def prepare(self) -> None:
        """Nothing is needed before the first request."""

    async def run(self) -> None:
        """Send notices until cancelled."""
        while True:
            await self._has_pending.wait()
            await asyncio.sleep(self._gather)
            self._has_pending.clear()
            pending, self._pending = [*self._pending], {}
            for start in range(0, len(pending), MAX_OWNERS):
                await self._listener.notify(CHANNEL, "".join(pending[start : start + MAX_OWNERS]))

    def _receive(self, payload: str) -> None:
        if not payload:
            self._subscriptions.wake_all()
        for start in range(0, len(payload), DIGEST_LENGTH):
            self._subscriptions.wake(payload[start : start + DIGEST_LENGTH])


@define(eq=False)
class SqliteChangeFeed:
    """The port's ChangeFeed: at once in this process; in others when they see that the file has changed."""

    _file: Path
    _poll_interval: float = POLL_INTERVAL
    _subscriptions: Subscriptions = field(init=False, factory=Subscriptions)
    _revisions: dict[Hashable, int] = field(init=False, factory=dict)
    """Of the lists that were watched at the last look."""

    def notify(self, owner: UserId) -> None:
        """See the port."""
        self._subscriptions.wake(owner)

    def subscribe(self, owner: UserId) -> AbstractContextManager[Notice]:
        """See the port."""
        return self._subscriptions.subscribe(owner)

    async def prepare(self) -> None:
        """Nothing is needed before the first request."""

    async def run(self) -> None:
        """Poll the file's version until cancelled (`PRAGMA data_version`: other connections' commits change it)."""
        create_private(self._file)
        with closing(sqlite3.connect(self._file, timeout=0, isolation_level=None)) as connection:
            seen = -1
            while True:
                # Locked for a moment, as by a switch to WAL, or without tables: the next poll sees the change.
                with suppress(sqlite3.OperationalError):
                    if self._subscriptions and (version := self._version(connection)) != seen:
                        self._wake_changed(connection)
                        seen = version
                await asyncio.sleep(self._poll_interval)

    def _wake_changed(self, connection: sqlite3.Connection) -> None:
        """Wake who watches a list that has changed since the last look, or was not watched then."""
        rows = connection.execute(_REVISIONS, (json.dumps([*self._subscriptions]),)).fetchall()
        before, self._revisions = self._revisions, dict(rows)
        for owner, revision in rows:
            if before.get(owner) != revision:
                self._subscriptions.wake(owner)

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int:
        ((version,),) = connection.execute("PRAGMA data_version")
        return int(version)
