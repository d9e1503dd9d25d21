"""The ASGI application that servers load."""

import asyncio
import gc
import logging
import os
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final

from attrs import define, field
from dishka import Provider
from litestar.types import ASGIApp

from adapters.http.app import create_http_app
from adapters.tokens.jwks_cache import JwksCache
from application.background import BackgroundTask, BackgroundWork
from domain.errors import KeysUnavailable
from entrypoints.logging_config import configure_logging
from entrypoints.providers import make_container
from entrypoints.server import LoopWatchdog
from entrypoints.settings import Settings, wants_traces

if TYPE_CHECKING:
    from entrypoints.tracing import Tracing

logger = logging.getLogger(__name__)

GC_THRESHOLD: Final = 50_000
"""Net allocations between garbage collections of the youngest generation; Python's default is 700."""

RESTART_DELAY: Final = 1.0
"""Seconds before a failed background task is restarted."""


def create_app(settings: Settings | None = None, *overrides: Provider) -> ASGIApp:
    """Create the application from these settings or the environment's; it does not connect to anything yet.

    Overrides replace what `providers` provides.

    Raises:
        SettingError: a setting is invalid.
    """
    is_served = settings is None
    tracing: Tracing | None = None
    if settings is None:
        settings = Settings.from_env(os.environ)
        configure_logging(settings.log_format, settings.log_level)
        if wants_traces(os.environ):
            from entrypoints.tracing import start_tracing  # noqa: PLC0415  (an optional dependency)

            tracing = start_tracing(os.environ)
            overrides = (*overrides, tracing.provider())
    container = make_container(settings, *overrides)
    running = AsyncExitStack()
    if tracing is not None:
        running.push_async_callback(tracing.close)
    running.push_async_callback(container.close)

    async def start() -> None:
        if is_served:
            freeze_startup_objects()
            watchdog = LoopWatchdog(asyncio.get_running_loop())
            running.callback(watchdog.stop)
            watchdog.start()
        keys = asyncio.create_task(_prefetch(await container.get(JwksCache)))
        running.push_async_callback(_cancel, keys)
        background = BackgroundTasks(await container.get(BackgroundWork))
        running.push_async_callback(background.stop)
        await background.start()

    app = create_http_app(
        container,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        root_path=settings.root_path,
        on_startup=start,
        on_shutdown=running.aclose,
    )
    return app if tracing is None else tracing.app(app)


def freeze_startup_objects() -> None:
    """Exclude the objects created at startup from garbage collection, which would scan them while requests wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])


async def _prefetch(keys: JwksCache) -> None:
    with suppress(KeysUnavailable):  # reported by /readyz; the service starts without the issuer
        await keys.ensure_loaded()


@define
class BackgroundTasks:
    """Runs the background tasks of a worker, and restarts those that fail."""

    _work: BackgroundWork
    restart_delay: float = RESTART_DELAY
    _tasks: list[asyncio.Task[None]] = field(init=False, factory=list)

    async def start(self) -> None:
        """Prepare all tasks, then run them."""
        await asyncio.gather(*(task.prepare() for task in self._work))
        self._tasks = [asyncio.create_task(self._run_forever(task), name=type(task).__name__) for task in self._work]

    async def stop(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        await _cancel(*self._tasks)

    async def _run_forever(self, task: BackgroundTask) -> None:
        while True:
            try:
                await task.run()
            except Exception as error:  # noqa: BLE001  (logged; the task is restarted)
                logger.error(  # noqa: TRY400  (the text of an exception may contain user content)
                    "a background task failed", extra={"task": type(task).__name__, "error": type(error).__name__}
                )
            await asyncio.sleep(self.restart_delay)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
