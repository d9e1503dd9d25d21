"""The HTTP adapter as one ASGI application."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from dishka import AsyncContainer
from litestar import Litestar, Request
from litestar import Response as LitestarResponse
from litestar.exceptions import MethodNotAllowedException
from litestar.types import ASGIApp

from adapters.http.access_log import AccessLog
from adapters.http.context import Network, TrustedProxies, current_request
from adapters.http.cors import Cors
from adapters.http.front import ANY_METHOD, Front
from adapters.http.metrics import MeasurementCollector
from adapters.http.problems import MEDIA_TYPE
from adapters.http.responses import error_response
from adapters.http.routes import public, sync, tasks
from adapters.http.routing import Services

ROUTES: Final = (*tasks.ROUTES, *sync.ROUTES, *public.ROUTES)

Hook = Callable[[], Awaitable[None]]


def create_http_app(
    container: AsyncContainer,
    *,
    cors_origins: tuple[str, ...],
    trusted_proxies: tuple[Network, ...] = (),
    root_path: str = "",
    on_startup: Hook,
    on_shutdown: Hook,
) -> ASGIApp:
    """The whole HTTP adapter; its use cases come from the container when it starts."""
    services = Services(ROUTES)
    log = AccessLog()
    background: list[asyncio.Task[None]] = []

    async def start(_: Litestar) -> None:
        await services.load(container)
        services.metrics.registry.register(MeasurementCollector(services.measurements))
        await on_startup()
        background.append(asyncio.create_task(services.page_cache.run_eviction()))
        background.append(asyncio.create_task(services.open_streams.run_checks()))

    async def stop(_: Litestar) -> None:
        log.close()  # first, so that a failure below loses no lines
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await on_shutdown()

    litestar = Litestar(
        [route.litestar_handler(services) for route in ROUTES],
        exception_handlers={Exception: _problem},
        on_startup=[start],
        on_shutdown=[stop],
        openapi_config=None,
        logging_config=None,
    )
    return Front(litestar, services, Cors.of(cors_origins), TrustedProxies(trusted_proxies), log, root_path)


def _problem(request: "Request[Any, Any, Any]", error: Exception) -> LitestarResponse[bytes]:
    """What Litestar or a handler raises, as a problem; the router's refusal of OPTIONS is the response to it."""
    context = current_request.get()
    if context is None:
        raise LookupError("the request did not come through the front") from error
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == ANY_METHOD:
        return LitestarResponse(b"", status_code=HTTPStatus.NO_CONTENT, headers=error.headers)
    response = error_response(error, context)
    headers = {name.decode(): value.decode() for name, value in response.headers if name != b"content-type"}
    return LitestarResponse(response.body, status_code=response.status, headers=headers, media_type=MEDIA_TYPE)
