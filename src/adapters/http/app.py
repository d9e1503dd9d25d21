"""The application: routes, and what stands before and behind them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dishka import AsyncContainer
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ASGIApp

from adapters.http.access_log import AccessLog
from adapters.http.auth import Authentication, Authorization
from adapters.http.context import Network, TrustedProxies
from adapters.http.cors import Cors
from adapters.http.front import ASK_METHODS, Edge
from adapters.http.hot_calls import FastRoutes
from adapters.http.injection import UseCases, WithContainer
from adapters.http.metrics import Metrics, RequestMetrics
from adapters.http.page_cache import PageCache
from adapters.http.problem_answers import problem_response
from adapters.http.problems import Problem
from adapters.http.request import MAX_BODY, StrictRequest
from adapters.http.routes.operations import Documentation, Operations
from adapters.http.routes.security_events import SecurityEvents
from adapters.http.routes.tasks import Tasks

Hook = Callable[[], Awaitable[None]]


def create_http_app(
    container: AsyncContainer,
    *,
    cors_origins: tuple[str, ...],
    trusted_proxies: tuple[Network, ...] = (),
    on_startup: Hook,
    on_shutdown: Hook,
) -> ASGIApp:
    """The whole HTTP adapter as one ASGI application; use cases and the verifier come from the container."""
    metrics = RequestMetrics()
    log = AccessLog()
    stored = PageCache()
    use_cases = UseCases()
    beside: list[asyncio.Task[None]] = []

    async def start(_: Litestar) -> None:
        await use_cases.load(container)
        await on_startup()
        beside.append(asyncio.create_task(stored.run_eviction()))

    async def stop(_: Litestar) -> None:
        log.close()  # first, so that nothing that fails below takes lines with it
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await on_shutdown()

    litestar = Litestar(
        [Tasks, SecurityEvents, Operations, Metrics, Documentation],
        state=State({"metrics": metrics, "page_cache": stored}),
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY,
        exception_handlers={
            NotFoundException: _no_route,
            MethodNotAllowedException: _no_route,
            Exception: problem_response,
        },
        on_startup=[start],
        on_shutdown=[stop],
        openapi_config=None,
        logging_config=None,
    )
    calls = FastRoutes(WithContainer(litestar, container), use_cases, stored)
    guarded = Authentication(Authorization(calls, use_cases), use_cases)
    return Edge(guarded, Cors.of(cors_origins), TrustedProxies(trusted_proxies), metrics, log)


def _no_route(request: "Request[Any, Any, Any]", error: Exception) -> Response[Problem] | Response[None]:
    """What the router does not know; for OPTIONS, that is the answer."""
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == ASK_METHODS:
        return Response(None, status_code=204, headers=error.headers)
    return problem_response(request, error)
