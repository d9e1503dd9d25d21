"""Notices between the workers of one database: PostgreSQL's notifications, and the change feeds."""

import asyncio
import json
import logging
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager, closing, suppress
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import asyncpg
from attrs import define, field

from adapters.sql.sqlite import create_private
from application.background import Backoff
from application.change_feed import Notice, Subscriptions
from domain.identity import UserId

logger = logging.getLogger(__name__)

FIRST_BACKOFF: Final = 2.0
"""Seconds until a lost connection is replaced, before jitter."""
MAX_BACKOFF: Final = 60.0
"""Seconds between two attempts while listening fails again and again, as on a standby, before jitter."""
NOTIFY_TIMEOUT: Final = 1.0
"""Seconds for sending one notification."""

CHANNEL: Final = "evo_todo_changes"
GATHER: Final = 0.005
"""Seconds for which notices are gathered into one notification."""
POLL_INTERVAL: Final = 0.2
"""Seconds between two looks at whether another process has changed the SQLite file, while anybody waits."""
DIGEST_LENGTH: Final = 12
"""Characters that stand for an owner in a notification, so that it names nobody."""
MAX_OWNERS: Final = 600
"""In one notification, whose payload PostgreSQL limits to 8000 bytes."""

_NOTIFY: Final = "SELECT pg_notify($1, $2) FROM set_config('synchronous_commit', 'off', true)"
"""A notification that is lost in a crash is no loss, so nobody waits until it is on the disk."""
_REVISIONS: Final = "SELECT owner_id, revision FROM task_lists WHERE owner_id IN (SELECT value FROM json_each(?))"

Handler = Callable[[str], None]
"""Takes a notification's payload; empty after each (re)connection, when any notification may have been missed."""


@define(eq=False)
class Listener:
    """Keeps one connection, which no request uses, listening while `run` runs. What it sends, it does not hear itself.

    Notifications are hints: one may be lost with the connection, or never arrive through a pooler.
    """

    _connect: Callable[[], Awaitable[Any]]
    _backoff: Backoff = field(kw_only=True, factory=lambda: Backoff(FIRST_BACKOFF, MAX_BACKOFF))
    _handlers: dict[str, Handler] = field(init=False, factory=dict)
    _connection: Any = field(init=False, default=None)

    def on(self, channel: str, handler: Handler) -> None:
        """Call the handler for each notification of the channel; to be registered before `run`."""
        self._handlers[channel] = handler

    async def notify(self, channel: str, payload: str) -> None:
        """Send a notification to the other workers; where the connection is lost or slow, it is dropped."""
        if self._connection is not None:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.execute(_NOTIFY, channel, payload, timeout=NOTIFY_TIMEOUT)

    async def prepare(self) -> None:
        """Nothing is needed before the first request."""

    async def run(self) -> None:
        """Listen until cancelled; no failure of the database ends it."""
        while True:
            try:
                await self._listen_until_lost()
                self._backoff.reset()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("can't listen for notifications", extra={"error": type(error).__name__})
            await asyncio.sleep(self._backoff.fail())

    async def _listen_until_lost(self) -> None:
        connection = await self._connect()
        lost, own_pid = asyncio.Event(), connection.get_server_pid()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            for channel, handler in self._handlers.items():
                await connection.add_listener(channel, partial(_handle, handler, own_pid))
            self._connection = connection
            for handler in self._handlers.values():
                handler("")  # for what was sent before there was a listener
            await lost.wait()
            logger.warning("the listener is lost; another follows")
        finally:
            self._connection = None
            connection.terminate()


def _handle(handler: Handler, own_pid: int, _: Any, sender_pid: int, __: str, payload: str) -> None:
    """Handle a notification, as asyncpg calls it."""
    if sender_pid != own_pid:
        handler(payload)


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
