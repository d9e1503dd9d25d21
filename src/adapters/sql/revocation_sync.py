"""How a worker learns of what was revoked elsewhere: it looks every second, and at once when it is called."""

import asyncio
import contextlib
import logging
import random
from typing import Any, Final

import asyncpg
from attrs import define, field

from adapters.sql.database import Database
from adapters.sql.revocations import CHANNEL, POLL_INTERVAL, SqlRevocations
from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

LISTEN_BACKOFF: Final = 2.0
"""Seconds, at most, until a lost listener is replaced."""
MAX_LISTEN_BACKOFF: Final = 60.0
"""Seconds, at most, between two tries where listening fails again and again, as on a standby."""
PURGE_INTERVAL: Final = 3600.0
"""Seconds between two removals of what has expired; any worker may do it."""


@define(eq=False)
class RevocationSync:
    """Keeps SqlRevocations current for as long as `run` runs.

    On PostgreSQL a connection listens for notifications. They are a hint and no more: a listener that is lost, or that
    hears nothing through a pooler, costs a second at most.
    """

    _database: Database
    _revocations: SqlRevocations
    _called: asyncio.Event = field(init=False, factory=asyncio.Event)
    _was_current: bool = field(init=False, default=True)

    async def prepare(self) -> None:
        """Look before the first request is served; while that fails, tokens get 503."""
        await self.look()

    async def run(self) -> None:
        """Look, listen and tidy until cancelled; no failure of the database ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_looking(), name="read revocations")
            group.create_task(self._tidy(), name="tidy revocations")
            if self._database.connect is not None:
                group.create_task(self._listen(self._database.connect), name="listen for revocations")

    async def look(self) -> None:
        """Look once. When what is known becomes too old to go by, or new enough again, the log says so."""
        with contextlib.suppress(StorageUnavailable):  # which the database has logged
            await self._revocations.refresh()
        is_current = self._revocations.is_current
        if is_current != self._was_current:
            self._was_current = is_current
            if is_current:
                logger.warning("revocations can be read again")
            else:
                logger.error("revocations can't be read: no token is accepted")

    async def _keep_looking(self) -> None:
        while True:
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._called.wait()
            self._called.clear()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(PURGE_INTERVAL * (0.5 + random.random()))  # noqa: S311  (so that workers take queue)
            try:
                await self._revocations.purge_expired()
            except StorageUnavailable:
                continue

    async def _listen(self, connect: Any) -> None:
        failures = 0
        while True:
            try:
                await self._listen_until_lost(connect)
                failures = 0
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                failures += 1
                logger.warning("can't listen for revocations", extra={"error": type(error).__name__})
            await asyncio.sleep(pause_after(failures) * (0.5 + random.random() / 2))  # noqa: S311  (not all at once)

    async def _listen_until_lost(self, connect: Any) -> None:
        connection = await connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *_: self._called.set())
            self._called.set()  # for what was notified before there was a listener
            await lost.wait()
            logger.warning("the listener for revocations is lost; another follows")
        finally:
            connection.terminate()


def pause_after(failures: int) -> float:
    """Seconds, at most, until the next try to listen, after so many failures in a row: twice as long after each."""
    return min(LISTEN_BACKOFF * 2.0 ** min(failures, 10), MAX_LISTEN_BACKOFF)
