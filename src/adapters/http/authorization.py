"""Whose list a path names: decided before the router, which would tell 404 from 405 of another's."""

from collections.abc import Awaitable, Callable
from typing import Final

from attrs import frozen
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from adapters.http.answers import Answer
from adapters.http.peers import origin_of
from adapters.http.problem_answers import problem_message
from application.authentication import Authorize
from domain.errors import AccessDenied
from domain.identity import UserId

DENIED: Final = "/api/{user_id}"
"""The route of what was denied: what comes behind it was not looked at."""


@frozen
class Authorization:
    """ASGI middleware that answers 403 to whoever asks for another's path; the use cases ask again.

    It goes by the same decoded path that the router takes apart, never by the URL.
    """

    app: ASGIApp
    authorize: Callable[[], Awaitable[Authorize]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass what is nobody's, or the principal's own."""
        if scope["type"] == ScopeType.HTTP and "principal" in scope["state"]:
            api, owner, *_ = [*filter(None, scope["path"].split("/")), "", ""]
            if api == "api" and owner:
                authorize = await self.authorize()
                try:
                    authorize(scope["state"]["principal"], UserId(owner), origin_of(scope))
                except AccessDenied as denied:
                    scope["path_template"] = DENIED  # for the log and the metrics; the router never sees this
                    await Answer(*problem_message(denied, scope))(scope, receive, send)
                    return
        await self.app(scope, receive, send)
