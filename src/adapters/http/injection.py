"""How handlers get their use cases: from the one container of the application.

The use cases live as long as the application and belong to no request, so none gets a container of its own, which would
cost as much as reading a task does. What belongs to a request, whoever asks, stands in its scope.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from attrs import define, field
from dishka import AsyncContainer, FromDishka
from dishka.integrations.base import wrap_injection
from litestar import Request
from litestar.types import ASGIApp, Receive, Scope, Send

from application.access import Authenticate, Authorize, EnforceRateLimits
from application.tasks import CreateTask, GetTask, ListTasks
from domain.identity import Principal

__all__ = ["FromDishka", "UseCases", "WithContainer", "inject", "principal_of"]

_CONTAINER: Final = "container"
F = TypeVar("F", bound=Callable[..., Any])


def inject(handler: F) -> F:
    """Fill the handler's parameters that are marked with FromDishka; it must take the `request`."""
    injected: Any = wrap_injection(
        func=handler, is_async=True, container_getter=lambda _, given: _container_of(given["request"])
    )
    filled: F = injected
    return filled


@define
class UseCases:
    """What nearly every request needs, at hand once the application has started.

    To ask the container at each request costs more than what it is asked for.
    """

    authenticate: Authenticate = field(init=False)
    enforce_rate_limits: EnforceRateLimits = field(init=False)
    authorize: Authorize = field(init=False)
    list_tasks: ListTasks = field(init=False)
    get_task: GetTask = field(init=False)
    create_task: CreateTask = field(init=False)

    async def load(self, container: AsyncContainer) -> None:
        """Ask the container for them, one after the other: two who ask at once could be given one each."""
        self.authenticate = await container.get(Authenticate)
        self.enforce_rate_limits = await container.get(EnforceRateLimits)
        self.authorize = await container.get(Authorize)
        self.list_tasks = await container.get(ListTasks)
        self.get_task = await container.get(GetTask)
        self.create_task = await container.get(CreateTask)


def principal_of(scope: Scope) -> Principal:
    """Whom authentication has found."""
    principal: Principal = scope["state"]["principal"]
    return principal


def _container_of(request: "Request[Any, Any, Any]") -> AsyncContainer:
    container: AsyncContainer = request.scope["state"][_CONTAINER]
    return container


class WithContainer:
    """ASGI middleware that brings the container to where `inject` looks for it."""

    __slots__ = ("_app", "_container")

    def __init__(self, app: ASGIApp, container: AsyncContainer) -> None:
        self._app = app
        self._container = container

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """WorkerClock on."""
        scope.setdefault("state", {})[_CONTAINER] = self._container
        await self._app(scope, receive, send)
