"""The application: routes, and what stands before and behind them."""

from collections.abc import Awaitable, Callable
from typing import Any

from dishka import AsyncContainer
from dishka.integrations.litestar import setup_dishka
from litestar import Litestar, Request, Response
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ASGIApp

from adapters.http.authentication import Authentication
from adapters.http.bodies import MAX_BODY, StrictRequest
from adapters.http.cors import Cors
from adapters.http.documentation import Documentation
from adapters.http.edge import ASK_METHODS, Edge
from adapters.http.health import Operations
from adapters.http.problem_answers import problem_response
from adapters.http.problems import Problem
from adapters.http.tasks import Tasks
from application.authentication import Authenticate
from domain.errors import AccessDenied
from domain.identity import Principal, UserId

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

    litestar = Litestar(
        [Tasks, Operations, Documentation],
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
    return Edge(Authentication(litestar, authenticate), Cors.of(cors_origins))


def _no_route(request: "Request[Any, Any, Any]", error: Exception) -> Response[Problem] | Response[None]:
    """404 and 405 come from the router, before any guard: here too another's path is 403 first."""
    match [part for part in request.scope["path"].split("/") if part]:
        case ["api", owner, *_]:
            principal: Principal = request.scope["state"]["principal"]
            try:
                principal.ensure_owns(UserId(owner))
            except AccessDenied as denied:
                return problem_response(request, denied)
    if isinstance(error, MethodNotAllowedException) and request.scope["method"] == ASK_METHODS:
        return Response(None, status_code=204, headers=error.headers)
    return problem_response(request, error)
