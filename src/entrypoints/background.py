"""What goes on beside the requests, from the start of a worker to its end."""

import asyncio
import logging
from typing import Final, Protocol

from attrs import define, field

logger = logging.getLogger(__name__)

AGAIN_AFTER: Final = 1.0
"""Seconds after which a chore that failed is taken up again."""


class Chore(Protocol):
    """Work that goes on until it is cancelled."""

    async def prepare(self) -> None:
        """Do what must be done before the first request; what is unavailable must not keep the worker from starting."""

    async def run(self) -> None:
        """Do the rest."""


@define
class Background:
    """The chores of one worker."""

    _chores: tuple[Chore, ...]
    _tasks: list[asyncio.Task[None]] = field(init=False, factory=list)

    async def start(self) -> None:
        """Prepare them all, and begin."""
        await asyncio.gather(*(chore.prepare() for chore in self._chores))
        self._tasks = [asyncio.create_task(_keep_at(chore), name=type(chore).__name__) for chore in self._chores]

    async def stop(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _keep_at(chore: Chore) -> None:
    while True:
        try:
            await chore.run()
        except Exception as error:  # noqa: BLE001  (told in the log; the work must go on without a hand)
            logger.error(  # noqa: TRY400  (an exception's words may hold what a person wrote)
                "a background task failed", extra={"task": type(chore).__name__, "error": type(error).__name__}
            )
        await asyncio.sleep(AGAIN_AFTER)
