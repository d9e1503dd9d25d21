"""The background task that drives SqlRevocations: it polls, also when notified, and purges."""

import asyncio
import contextlib
import logging
from typing import Final

from attrs import define, field

from adapters.sql.notifications import Listener
from adapters.sql.retention import purge_periodically
from adapters.sql.revocations import CHANNEL, POLL_INTERVAL, SqlRevocations
from domain.errors import StorageUnavailable

logger = logging.getLogger(__name__)

PURGE_INTERVAL: Final = 600.0
"""Seconds between two deletions of expired revocations, give or take a half; each worker does it."""
START_TIMEOUT: Final = 5.0
"""Seconds that a worker waits for its first refresh; then it serves, and tokens get 503 until all rows are read."""


@define(eq=False)
class RevocationSync:
    """Keeps SqlRevocations current while `run` runs.

    On PostgreSQL it listens for notifications. They only make it quicker: while the listener is lost, or gets nothing
    through a pooler, a revocation is seen at the next poll.
    """

    _revocations: SqlRevocations
    _listener: Listener | None = None
    _poll_interval: float = POLL_INTERVAL
    _start_timeout: float = START_TIMEOUT
    _first: "asyncio.Task[None] | None" = field(init=False, default=None)
    """The first refresh; `run` ends it."""
    _is_notified: asyncio.Event = field(init=False, factory=asyncio.Event)
    _was_current: bool = field(init=False, default=True)

    def __attrs_post_init__(self) -> None:
        if self._listener is not None:
            self._listener.on(CHANNEL, lambda _: self._is_notified.set())

    async def prepare(self) -> None:
        """Refresh before the first request; while that fails, or takes too long, tokens get 503."""
        self._first = asyncio.create_task(self.refresh(), name="read all revocations")
        await asyncio.wait({self._first}, timeout=self._start_timeout)

    async def run(self) -> None:
        """Poll and purge until cancelled; no failure of the database ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll(), name="read revocations")
            group.create_task(self._read_all(), name="read all revocations again")
            purging = purge_periodically(PURGE_INTERVAL, self._revocations.purge_expired)
            group.create_task(purging, name="purge revocations")

    async def refresh(self) -> None:
        """Refresh once, and log when the revocations become too stale to rely on, or current again."""
        with contextlib.suppress(StorageUnavailable):  # logged where it was raised
            await self._revocations.refresh()
        is_current = self._revocations.is_current
        if is_current != self._was_current:
            self._was_current = is_current
            if is_current:
                logger.warning("revocations can be read again")
            else:
                logger.error("revocations can't be read: no token is accepted")

    async def _poll(self) -> None:
        if self._first is not None:
            await self._first  # a cancelled `run` cancels it, too
        while True:
            await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval):
                    await self._is_notified.wait()
            self._is_notified.clear()

    async def _read_all(self) -> None:
        while True:
            await asyncio.sleep(self._poll_interval)
            with contextlib.suppress(StorageUnavailable):
                await self._revocations.read_all_if_due()
