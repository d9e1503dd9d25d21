"""The uvicorn server, its address, and what ends a worker whose event loop is blocked for good."""

import asyncio
import itertools
import logging
import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, Final

import click
import uvicorn

from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from entrypoints.logging_config import configure_logging
from entrypoints.settings import Settings

logger = logging.getLogger(__name__)

GRACE: Final = 7
"""Seconds for requests in progress to complete after SIGTERM; the whole shutdown takes less than ten."""

WORKER_TIMEOUT: Final = 30
"""Seconds that the supervisor waits for a worker to answer before it kills and replaces it.

uvicorn's 5 s are too few on a machine under heavy load: workers that were only slow were replaced in a loop.
"""

_FRAMES: Final = 8


def run_server(settings: Settings, *, grace: int = GRACE, worker_timeout: int = WORKER_TIMEOUT, **options: Any) -> None:
    """Serve until a signal; then stop accepting connections, complete the requests in progress, and return."""
    configure_logging(settings.log_format, settings.log_level)  # for the process that supervises the workers
    uvicorn.run(
        "entrypoints.asgi:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        http=HardenedHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace,
        timeout_worker_healthcheck=worker_timeout,
        **options,
    )


def ensure_port_is_free(settings: Settings) -> None:
    """Raise ClickException, with what to do, if the service can't listen on its address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except (OSError, UnicodeError) as error:
            address = f"{settings.host} port {settings.port}"
            is_name = isinstance(error, socket.gaierror | UnicodeError)
            reason = "this machine has no such name or address" if is_name else getattr(error, "strerror", "")
            raise click.ClickException(
                f"cannot listen on {address} ({reason}): set --host or EVO_TODO_HOST, --port or EVO_TODO_PORT"
            ) from error


class LoopWatchdog(threading.Thread):
    """A thread that asks the event loop for a sign of life, and ends the process so that another takes its place.

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
