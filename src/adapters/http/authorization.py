"""Whose list a path names: decided before the router, which would tell 404 from 405 of another's."""

from typing import Final

from attrs import frozen
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from adapters.http.injection import UseCases, principal_of
from adapters.http.peers import origin_of
from adapters.http.scopes import HTTP
from domain.errors import AccessDenied
from domain.identity import UserId

DENIED: Final = "/api/{user_id}"
"""The route of what was denied: what comes behind it was not looked at."""


@frozen
class Authorization:
    """ASGI middleware that lets nobody pass to another's path; the use cases ask again.

    It goes by the same decoded path that the router takes apart, never by the URL.
    """

    app: ASGIApp
    use_cases: UseCases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass what is nobody's, or the principal's own; raise AccessDenied, which the edge answers."""
        if scope["type"] == HTTP and "principal" in scope["state"]:
            self._ensure_own(scope)
        await self.app(scope, receive, send)

    def _ensure_own(self, scope: HTTPScope) -> None:
        api, owner, *_ = [*filter(None, scope["path"].split("/")), "", ""]
        if api == "api" and owner:
            try:
                self.use_cases.authorize(principal_of(scope), UserId(owner), origin_of(scope))
            except AccessDenied:
                scope["path_template"] = DENIED  # for the log and the metrics; the router never sees this
                raise
