"""One PostgreSQL connection that listens for notifications, and sends them, for everything in a worker."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import asyncpg
from attrs import define, field

from application.backoff import Backoff

logger = logging.getLogger(__name__)

FIRST_BACKOFF: Final = 2.0
"""Seconds until a lost connection is replaced, before jitter."""
MAX_BACKOFF: Final = 60.0
"""Seconds between two attempts while listening fails again and again, as on a standby, before jitter."""
NOTIFY_TIMEOUT: Final = 1.0
"""Seconds for sending one notification."""

_NOTIFY: Final = "SELECT pg_notify($1, $2) FROM set_config('synchronous_commit', 'off', true)"
"""A notification that is lost in a crash is no loss, so nobody waits until it is on the disk."""

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
