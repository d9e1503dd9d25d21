"""The ASGI application that servers load."""

import asyncio
import contextlib
import os

from dishka import Provider
from litestar.types import ASGIApp

from adapters.http.app import create_http_app
from adapters.tokens.remote_keys import RemoteKeySet
from domain.errors import KeysUnavailable
from entrypoints.background import Background
from entrypoints.logs import configure_logging
from entrypoints.providers import make_container
from entrypoints.settings import Settings


def create_app(settings: Settings | None = None, *overrides: Provider) -> ASGIApp:
    """The application, from these settings or the environment's; it connects to nothing yet.

    Providers that are given replace what `providers` would put in.

    Raises:
        SettingError: a setting can't be read.
    """
    if settings is None:
        settings = Settings.from_env(os.environ)
        configure_logging(settings.log_format, settings.log_level)
    container = make_container(settings, *overrides)
    warming: list[asyncio.Task[None]] = []

    async def fetch_keys() -> None:
        keys = await container.get(RemoteKeySet)
        with contextlib.suppress(KeysUnavailable):  # /readyz tells; the service starts without the issuer
            await keys.ensure_loaded()

    async def start() -> None:
        warming.append(asyncio.create_task(fetch_keys()))
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
