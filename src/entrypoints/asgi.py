"""The ASGI application that servers load."""

import asyncio
import contextlib
import gc
import os
from typing import Final

from dishka import Provider
from litestar.types import ASGIApp

from adapters.http.app import create_http_app
from adapters.tokens.remote_keys import RemoteKeySet
from application.readiness import CheckReadiness
from application.sessions import ReceiveSecurityEvent
from domain.errors import KeysUnavailable
from entrypoints.background import Background
from entrypoints.logs import configure_logging
from entrypoints.providers import make_container
from entrypoints.settings import Settings

_ASKED_FOR: Final = (ReceiveSecurityEvent, CheckReadiness)
"""What requests ask the container for, soon after the start; what nearly all need, the HTTP adapter has."""

YOUNG_ENOUGH: Final = 50_000
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

    async def fetch_keys(keys: RemoteKeySet) -> None:
        with contextlib.suppress(KeysUnavailable):  # /readyz tells; the service starts without the issuer
            await keys.ensure_loaded()

    async def start() -> None:
        if is_served:
            _leave_alone_what_is_there()
        for kind in _ASKED_FOR:
            await container.get(kind)  # one after the other: two who ask at once could be given one each
        warming.append(asyncio.create_task(fetch_keys(await container.get(RemoteKeySet))))
        await (await container.get(Background)).start()

    async def stop() -> None:
        await (await container.get(Background)).stop()
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


def _leave_alone_what_is_there() -> None:
    """Take what the start has made out of the garbage collector's sight: to look through it stops every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_ENOUGH, *gc.get_threshold()[1:])
