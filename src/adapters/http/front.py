"""The way of every request, read from top to bottom."""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Final, cast

from attrs import field, frozen
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from adapters.http.access_log import AccessLog
from adapters.http.auth import authenticate, enforce_user_limit, ensure_owner, ensure_scope, needs_token
from adapters.http.context import RequestContext, TrustedProxies, current_request, read_context
from adapters.http.cors import Cors
from adapters.http.problems import RequestError, Stopping
from adapters.http.responses import HeaderInjector, Response, error_response
from adapters.http.routing import DirectRoutes, Services

MAX_HEADERS: Final = 32 * 1024
"""Bytes of all header fields together (RFC 6585 §5)."""

MAX_TARGET: Final = 8 * 1024
"""Bytes of path and query; the longest that makes sense, every character escaped, takes less."""

ANY_METHOD: Final = "*"
"""What OPTIONS is routed as: no route takes it, so the router's refusal lists the methods that each does take.

Litestar's own response to OPTIONS knows only the methods of the handler registered first (RFC 9110 §9.3.7).
"""

_HTTP: Final = ScopeType.HTTP  # Python 3.11 looks an enumeration's member up the long way
_ROUTED_AS: Final = {"HEAD": "GET", "OPTIONS": ANY_METHOD}
_PROBES: Final = frozenset({"/health", "/livez", "/readyz", "/metrics"})
"""Asked every few seconds: successful ones are logged at debug level."""


@frozen
class Front:
    """The ASGI application: each check is a plain call, in the order of the contract; only some have to wait."""

    router: ASGIApp
    services: Services
    cors: Cors
    proxies: TrustedProxies
    log: AccessLog
    root_path: str = ""
    _direct: DirectRoutes = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_direct", DirectRoutes(self.services.routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; everything else (the lifespan) is Litestar's."""
        if scope["type"] != _HTTP:
            await self.router(scope, receive, send)
            return
        started = time.perf_counter()
        context = read_context(scope, self.proxies, self.root_path)
        current_request.set(context)
        response = HeaderInjector(send, scope, context, self.cors)
        try:
            if scope["method"] == "OPTIONS" and self.cors.is_preflight(context.headers):
                await response.respond(Response(204, self.cors.preflight_headers(context.headers)))
            else:
                ensure_acceptable(scope, context)
                segments = [*filter(None, context.path.split("/"))]
                if needs_token(context):
                    context.principal = await authenticate(self.services, context)
                    context.rate_limit = await enforce_user_limit(self.services, context)
                    ensure_scope(self.services, context)
                    ensure_owner(self.services, context, segments)
                method = _ROUTED_AS.get(scope["method"], scope["method"])
                if (route := self._direct.find(method, context, segments)) is not None:
                    await response.respond(await route.respond(self.services, context, receive))
                else:
                    await self._route(scope, method, receive, context, response)
                if context.stream is not None:
                    await context.stream(scope, receive, response)
        except asyncio.CancelledError:
            # The server cancels what is left when its time is up; this is the outermost layer, and the task ends here.
            if not response.status:
                await response.respond(error_response(Stopping(), context))
        except Exception as error:
            if response.status:
                raise  # the response has begun: the server can only cut it off
            await response.respond(error_response(error, context))
        seconds = (context.answered_at or time.perf_counter()) - started
        self.services.metrics.count(context.route, scope["method"], response.status, seconds)
        level = logging.DEBUG if context.route in _PROBES and response.status == HTTPStatus.OK else logging.INFO
        self.log.note(level, scope["method"], context.route, response.status, seconds, context.request_id)

    async def _route(
        self, scope: HTTPScope, method: str, receive: Receive, context: RequestContext, response: HeaderInjector
    ) -> None:
        """Leave the request to Litestar's router."""
        # A copy where the method differs: the server goes by the method of the request.
        routed = scope if method == scope["method"] else cast("HTTPScope", {**scope, "method": method})
        await self.router(routed, receive, response)
        context.route = routed.get("path_template", context.route)


def ensure_acceptable(scope: HTTPScope, context: RequestContext) -> None:
    """Refuse what is too large, or does not name its host.

    Raises:
        RequestError: (414, 431) the path or the headers are too large; (400) there is not exactly one Host header.
    """
    headers = context.headers
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
        raise RequestError(414)
    if sum([len(name) + len(value) for name, value in headers.lines]) > MAX_HEADERS:
        raise RequestError(431)
    if headers.unique is not None and b"host" in headers.unique:
        return
    hosts = len(headers.getlist(b"host"))
    if hosts > 1 or (hosts == 0 and scope["http_version"] != "1.0"):
        raise RequestError(400, "A request names its host in exactly one Host header (RFC 9112 §3.2).")
