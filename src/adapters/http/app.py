"""The application: routes, and what stands before and behind them."""

from collections.abc import Awaitable, Callable
from typing import Any

from dishka import AsyncContainer
from dishka.integrations.litestar import setup_dishka
from litestar import Litestar, Request, Response
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ASGIApp

from adapters.http.authentication import Authentication
from adapters.http.authorization import Authorization
from adapters.http.bodies import MAX_BODY, StrictRequest
from adapters.http.cors import Cors
from adapters.http.documentation import Documentation
from adapters.http.edge import ASK_METHODS, Edge
from adapters.http.health import Operations
from adapters.http.problem_answers import problem_response
from adapters.http.problems import Problem
from adapters.http.security_events import SecurityEvents
from adapters.http.tasks import Tasks
from application.authentication import Authenticate, Authorize

Hook = Callable[[], Awaitable[None]]


def create_http_app(
    container: AsyncContainer, *, cors_origins: tuple[str, ...], on_startup: Hook, on_shutdown: Hook
) -> ASGIApp:
    """The whole HTTP adapter as one ASGI application; use cases and the verifier come from the container."""

    async def start(_: Litestar) -> None:
        await on_startup()

    async def stop(_: Litestar) -> None:
        await on_shutdown()

    async def authenticate() -> Authenticate:
        found: Authenticate = await container.get(Authenticate)
        return found

    async def authorize() -> Authorize:
        found: Authorize = await container.get(Authorize)
        return found

    litestar = Litestar(
        [Tasks, SecurityEvents, Operations, Documentation],
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
    setup_dishka(container, litestar)
    own_lists_only = Authorization(litestar, authorize)
    return Edge(Authentication(own_lists_only, authenticate), Cors.of(cors_origins))


def _no_route(request: "Request[Any, Any, Any]", error: Exception) -> Response[Problem] | Response[None]:
    """What the router does not know; for OPTIONS, that is the answer."""
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == ASK_METHODS:
        return Response(None, status_code=204, headers=error.headers)
    return problem_response(request, error)
