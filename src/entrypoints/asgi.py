"""The ASGI application that servers load."""

import asyncio
import contextlib
import gc
import logging
import os
from typing import Final

from attrs import define, field
from dishka import Provider
from litestar.types import ASGIApp

from adapters.http.app import create_http_app
from adapters.tokens.jwks_cache import JwksCache
from application.ports import BackgroundTask, BackgroundWork
from domain.errors import KeysUnavailable
from entrypoints.logging_config import configure_logging
from entrypoints.providers import make_container
from entrypoints.settings import Settings

GC_THRESHOLD: Final = 50_000
"""New objects, less those that are gone, after which the garbage collector looks for cycles; Python's own is 700."""


def create_app(settings: Settings | None = None, *overrides: Provider) -> ASGIApp:
    """The application, from these settings or the environment's; it connects to nothing yet.

    Providers that are given replace what `providers` would put in.

    Raises:
        SettingError: a setting can't be read.
    """
    is_served = settings is None
    if settings is None:
        settings = Settings.from_env(os.environ)
        configure_logging(settings.log_format, settings.log_level)
    container = make_container(settings, *overrides)
    warming: list[asyncio.Task[None]] = []
    background: list[BackgroundTasks] = []

    async def fetch_keys(keys: JwksCache) -> None:
        with contextlib.suppress(KeysUnavailable):  # /readyz tells; the service starts without the issuer
            await keys.ensure_loaded()

    async def start() -> None:
        if is_served:
            freeze_startup_objects()
        warming.append(asyncio.create_task(fetch_keys(await container.get(JwksCache))))
        background.append(BackgroundTasks(await container.get(BackgroundWork)))
        await background[0].start()

    async def stop() -> None:
        for tasks in background:
            await tasks.stop()
        for task in warming:
            task.cancel()
        await asyncio.gather(*warming, return_exceptions=True)
        await container.close()

    return create_http_app(
        container,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        on_startup=start,
        on_shutdown=stop,
    )


def freeze_startup_objects() -> None:
    """Take what the start has made out of the garbage collector's sight: to look through it stops every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])


logger = logging.getLogger(__name__)

AGAIN_AFTER: Final = 1.0
"""Seconds after which a chore that failed is taken up again."""


@define
class BackgroundTasks:
    """The chores of one worker."""

    _work: BackgroundWork
    _tasks: list[asyncio.Task[None]] = field(init=False, factory=list)

    async def start(self) -> None:
        """Prepare them all, and begin."""
        await asyncio.gather(*(task.prepare() for task in self._work))
        self._tasks = [asyncio.create_task(_run_forever(task), name=type(task).__name__) for task in self._work]

    async def stop(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _run_forever(task: BackgroundTask) -> None:
    while True:
        try:
            await task.run()
        except Exception as error:  # noqa: BLE001  (told in the log; the work must go on without a hand)
            logger.error(  # noqa: TRY400  (an exception's words may hold what a person wrote)
                "a background task failed", extra={"task": type(task).__name__, "error": type(error).__name__}
            )
        await asyncio.sleep(AGAIN_AFTER)
