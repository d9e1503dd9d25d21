"""Ends a process whose event loop is blocked for good, so that another takes its place."""

import asyncio
import itertools
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_FRAMES: Final = 8


class LoopWatchdog(threading.Thread):
    """A thread that asks the event loop for a sign of life.

    uvicorn's supervisor does not notice a blocked loop: a thread of the worker answers it. Unanswered questions are
    counted instead of seconds, because a process that gets no processor time, or was suspended, asks none either.
    """

    interval = 1.0
    """Seconds between questions to the event loop, and that it has for each answer."""

    max_missed = 30
    """Questions in a row without an answer after which the loop counts as blocked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="loop-watchdog", daemon=True)
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def end_process(self) -> None:
        """Exit at once: nothing can be completed without the event loop."""
        os._exit(1)

    def run(self) -> None:
        """Ask until the loop is blocked or closed, or this is stopped."""
        missed = 0
        while not self._stopped.is_set():
            if self._is_answered():
                missed = 0
                self._stopped.wait(self.interval)
                continue
            missed += 1
            if missed >= self.max_missed:
                logger.critical("the event loop is blocked: the process exits", extra={"stack": self._stack()})
                self.end_process()
                return

    def _is_answered(self) -> bool:
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # the loop is closed
            self._stopped.set()
            return True
        return answered.wait(self.interval)

    def _stack(self) -> list[str]:
        """The innermost calls of the loop's thread: places in the code, without values."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  (the documented way)
        calls = itertools.islice(traceback.walk_stack(frame), _FRAMES) if frame else ()
        return [f"{Path(one.f_code.co_filename).name}:{line} {one.f_code.co_name}" for one, line in calls]
