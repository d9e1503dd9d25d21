"""Routes: one declaration says what a route is in the API, in the OpenAPI document, and how it is dispatched."""

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, Protocol

import msgspec
from attrs import Factory, define, field, fields, frozen
from dishka import AsyncContainer
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive

from adapters.http.context import RequestContext, current_request
from adapters.http.metrics import RequestMetrics, StreamMetrics
from adapters.http.open_streams import OpenStreams
from adapters.http.page_cache import PageCache
from adapters.http.refusal_pacing import RefusalPacing
from adapters.http.request import Body, is_task_id, read_body
from adapters.http.responses import Response
from application.access import Authenticate, EnforceRateLimits
from application.authorization import Authorize
from application.health import CheckReadiness, Measurements
from application.security_events import ReceiveSecurityEvent
from application.sync import ReadChanges, WatchChanges
from application.tasks import (
    ChangeTask,
    CompleteTask,
    CreateTask,
    CreateTaskOnce,
    DeleteTask,
    GetTask,
    ListTasks,
    RestoreTask,
)
from domain.errors import InvalidToken

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

TASKS: Final = "/api/{user_id}/tasks"
TASK: Final = "/api/{user_id}/tasks/{task_id}"
CHANGES: Final = "/api/{user_id}/tasks/changes"
EVENTS: Final = "/api/{user_id}/tasks/events"


@define
class Services:
    """What checks and handlers work with: every use case, loaded when the application starts, and what they share."""

    routes: "tuple[Route, ...]"
    metrics: RequestMetrics = Factory(RequestMetrics)
    stream_metrics: StreamMetrics = Factory(lambda self: StreamMetrics(self.metrics.registry), takes_self=True)
    page_cache: PageCache = Factory(PageCache)
    refusal_pacing: RefusalPacing = Factory(RefusalPacing)
    authenticate: Authenticate = field(init=False)
    authorize: Authorize = field(init=False)
    enforce_rate_limits: EnforceRateLimits = field(init=False)
    list_tasks: ListTasks = field(init=False)
    get_task: GetTask = field(init=False)
    create_task: CreateTask = field(init=False)
    create_task_once: CreateTaskOnce = field(init=False)
    change_task: ChangeTask = field(init=False)
    complete_task: CompleteTask = field(init=False)
    delete_task: DeleteTask = field(init=False)
    restore_task: RestoreTask = field(init=False)
    read_changes: ReadChanges = field(init=False)
    watch_changes: WatchChanges = field(init=False)
    open_streams: OpenStreams = field(init=False)
    receive_security_event: ReceiveSecurityEvent = field(init=False)
    check_readiness: CheckReadiness = field(init=False)
    measurements: Measurements = field(init=False)

    async def load(self, container: AsyncContainer) -> None:
        """Take the use cases from the container, one after the other: two calls at once could make two of one."""
        for use_case in fields(type(self)):
            if not use_case.init:
                setattr(self, use_case.name, await container.get(use_case.type))


class Handler(Protocol):
    """Translates a request into a use case's words, and its result into a response; it decides nothing."""

    def __call__(self, services: Services, request: RequestContext, body: Any, /) -> Awaitable[Response]:
        """Respond; `body` is an instance of the route's body type, or `None` where there is none."""


@frozen(kw_only=True)
class Operation:
    """What the OpenAPI document says of a route."""

    id: str
    summary: str
    status: HTTPStatus = HTTPStatus.OK
    result: str = "The task as it is now."
    response: type[msgspec.Struct] | None = None
    media_type: str | None = None
    """Of a response that is not JSON."""
    example: Any = None
    errors: tuple[HTTPStatus, ...] = ()
    refusal: type[msgspec.Struct] | None = None
    """The shape of a 400 that is not a problem (RFC 9457)."""
    condition: str | None = None
    """The header of a precondition (RFC 9110 §13.1)."""
    condition_note: str = ""
    tag: str = "tasks"


@frozen(eq=False, kw_only=True)
class Route:
    """A path and method, its handler, and its operation in the document."""

    method: Method
    path: str
    handler: Handler
    operation: Operation | None
    body: Body | None
    is_direct: bool
    """Whether a request in the plain form of this path bypasses Litestar's router."""

    async def respond(self, services: Services, context: RequestContext, receive: Receive) -> Response:
        """Read the body where the route has one, and call the handler."""
        context.route = self.path
        body = None if self.body is None else await read_body(receive, context, self.body)
        try:
            return await self.handler(services, context, body)
        except InvalidToken:  # the list knows of a revocation before this worker does
            services.authorize.record_revoked(context.principal, context.audit)
            raise

    def litestar_handler(self, services: Services) -> HTTPRouteHandler:
        """The same route for Litestar's router."""

        async def handle(request: "Request[Any, Any, Any]") -> Response:
            context = current_request.get()
            if context is None:
                raise LookupError("the request did not come through the front")
            context.user_id = request.path_params.get("user_id", "")
            context.task_id = request.path_params.get("task_id", "")
            return await self.respond(services, context, request.receive)

        path = re.sub(r"\{(\w+)\}", r"{\1:str}", self.path)
        return HTTPRouteHandler(path, http_method=self.method, status_code=200, include_in_schema=False)(handle)


def route(
    method: Method, path: str, operation: Operation | None = None, *, body: Body | None = None, direct: bool = False
) -> Callable[[Handler], Route]:
    """Declare a route with the decorated function as its handler."""

    def declare(handler: Handler) -> Route:
        return Route(method=method, path=path, handler=handler, operation=operation, body=body, is_direct=direct)

    return declare


class DirectRoutes:
    """The most frequent calls, dispatched by a table: the router and its request cost as much as the rest of a call.

    Only the plain form of a path is dispatched here. Every other request goes to Litestar, to the same handlers.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        """Take those of these routes that are direct."""
        self._by_path: dict[str, dict[str, Route]] = {path: {} for path in (TASKS, TASK, CHANGES, EVENTS)}
        for route in routes:
            if route.is_direct:
                self._by_path[route.path][route.method] = route

    def find(self, method: str, context: RequestContext, segments: Sequence[str]) -> Route | None:
        """The route of the request, its path parameters set in the context; `None`: leave it to the router.

        HEAD is looked up as GET. The segments are those of the context's path, without empty ones. The plain form of a
        path has no empty segment, and a task id in canonical form.
        """
        match segments:
            case "api", owner, "tasks":
                found, task_id = self._by_path[TASKS].get(method), ""
            case "api", owner, "tasks", task_id if is_task_id(task_id):
                found = self._by_path[TASK].get(method)
            case "api", owner, "tasks", "changes":
                found, task_id = self._by_path[CHANGES].get(method), ""
            case "api", owner, "tasks", "events":
                found, task_id = self._by_path[EVENTS].get(method), ""
            case _:
                return None
        if found is None or context.path.count("/") != len(segments):
            return None
        context.user_id, context.task_id = owner, task_id
        return found
