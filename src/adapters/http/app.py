"""The application: routes, and what stands before and behind them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dishka import AsyncContainer
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ASGIApp

from adapters.http.authentication import Authentication
from adapters.http.authorization import Authorization
from adapters.http.bodies import MAX_BODY, StrictRequest
from adapters.http.cors import Cors
from adapters.http.documentation import Documentation
from adapters.http.edge import ASK_METHODS, Edge
from adapters.http.health import Operations
from adapters.http.hot_calls import HotCalls
from adapters.http.injection import WithContainer
from adapters.http.metrics import Metrics, RequestMetrics
from adapters.http.peers import Network, TrustedProxies
from adapters.http.problem_answers import problem_response
from adapters.http.problems import Problem
from adapters.http.security_events import SecurityEvents
from adapters.http.stored_pages import StoredPages
from adapters.http.tasks import Tasks
from application.authentication import Authenticate, Authorize
from application.limits import LimitRequests
from application.tasks import CreateTask, GetTask, ListTasks

T = TypeVar("T")
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
    stored = StoredPages()
    beside: list[asyncio.Task[None]] = []

    async def start(_: Litestar) -> None:
        await on_startup()
        beside.append(asyncio.create_task(stored.tidy()))

    async def stop(_: Litestar) -> None:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await on_shutdown()

    litestar = Litestar(
        [Tasks, SecurityEvents, Operations, Metrics, Documentation],
        state=State({"metrics": metrics, "stored_pages": stored}),
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
    calls = HotCalls(
        WithContainer(litestar, container),
        _once(container, ListTasks),
        _once(container, GetTask),
        _once(container, CreateTask),
        stored,
    )
    own_lists_only = Authorization(calls, _once(container, Authorize))
    guarded = Authentication(own_lists_only, _once(container, Authenticate), _once(container, LimitRequests))
    return Edge(guarded, Cors.of(cors_origins), TrustedProxies(trusted_proxies), metrics)


def _once(container: AsyncContainer, kind: type[T]) -> Callable[[], Awaitable[T]]:
    """What the container has of that kind; asking it at each request costs more than all it is asked for."""
    found: list[T] = []

    async def get() -> T:
        if not found:
            found.append(await container.get(kind))
        return found[0]

    return get


def _no_route(request: "Request[Any, Any, Any]", error: Exception) -> Response[Problem] | Response[None]:
    """What the router does not know; for OPTIONS, that is the answer."""
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == ASK_METHODS:
        return Response(None, status_code=204, headers=error.headers)
    return problem_response(request, error)
