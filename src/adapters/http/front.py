"""The outermost layer: what holds for every answer, whoever gives it."""

import asyncio
import logging
import re
import time
from contextvars import ContextVar
from http import HTTPStatus
from itertools import chain
from os import urandom
from typing import Any, Final, cast

from attrs import Factory, define, field, frozen
from litestar.exceptions import ClientException
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from adapters.http.access_log import AccessLog
from adapters.http.context import TrustedProxies
from adapters.http.cors import Cors
from adapters.http.metrics import RequestMetrics
from adapters.http.problem_answers import problem_message
from adapters.http.problems import Stopping
from adapters.http.rate_limits import told_allowance
from adapters.http.request import HTTP, note_fields
from adapters.http.responses import COMPLETE_RESPONSE, Response
from domain.audit import AuditContext

MAX_HEADERS: Final = 32 * 1024
"""Bytes of all header fields together (RFC 6585 §5)."""

MAX_TARGET: Final = 8 * 1024
"""Bytes of path and query; the longest that makes sense, every character escaped, takes less."""

request_id_of_context: ContextVar[str | None] = ContextVar("request_id", default=None)
"""For the logs: the request that a line belongs to."""

ASK_METHODS: Final = "*"
"""What OPTIONS is routed as: no route takes it, so the router's refusal lists what each does take (RFC 9110 §9.3.7).

Litestar's own answer to OPTIONS knows only the methods of the handler that it registered first.
"""

_PROBES: Final = frozenset({"/health", "/livez", "/readyz", "/metrics"})
"""Asked every few seconds: when all is well they are logged for debugging only."""

_ROUTED_AS: Final = {"HEAD": "GET", "OPTIONS": ASK_METHODS}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ALWAYS: Final = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
_NAMES: Final = frozenset(name for name, _ in _ALWAYS)


@frozen
class Edge:
    """ASGI middleware: request id, peer, security headers, CORS, HEAD, Allow, the size of headers, log and metrics."""

    app: ASGIApp
    cors: Cors
    proxies: TrustedProxies = Factory(TrustedProxies)
    metrics: RequestMetrics = Factory(RequestMetrics)
    log: AccessLog = Factory(AccessLog)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer preflights and oversized heads; hand on everything else, and dress what comes back."""
        if scope["type"] != HTTP:
            await self.app(scope, receive, send)
            return
        headers = list(scope["headers"])
        state = scope.setdefault("state", {})
        fields = note_fields(scope, headers)
        request_id = _request_id(fields.get(b"x-request-id"))
        state["origin"] = AuditContext(request_id, self.proxies.client_of(scope))
        request_id_of_context.set(request_id)
        added = [(b"x-request-id", request_id.encode()), *self.cors.headers(fields.get(b"origin"))]
        answer = HeaderInjector(send, added, scope)
        started = time.perf_counter()
        routed = scope
        if (method := _ROUTED_AS.get(scope["method"])) is not None:
            # A copy: the server goes by the method it was asked with.
            routed = cast("HTTPScope", {**scope, "method": method})
        try:
            if scope["method"] == "OPTIONS" and self.cors.is_preflight(fields):
                await Response(204, self.cors.preflight_headers(fields))(scope, receive, answer)
            else:
                _ensure_acceptable(scope, headers, fields)
                await self.app(routed, receive, answer)
        except asyncio.CancelledError:
            # The server cancels what is left when its time is up; this is the outermost layer, and the task ends here.
            if not answer.status:
                await Response(*problem_message(Stopping(), scope))(scope, receive, answer)
        except Exception as error:
            if answer.status:
                raise  # the answer has begun: the server can only cut it off
            await Response(*problem_message(error, scope))(scope, receive, answer)
        route = routed.get("path_template", "-")  # never the path itself: it names a person
        took = time.perf_counter() - started
        self.metrics.count(route, scope["method"], answer.status, took)
        level = logging.DEBUG if route in _PROBES and answer.status == HTTPStatus.OK else logging.INFO
        self.log.note(level, scope["method"], route, answer.status, took, request_id)


@define
class HeaderInjector:
    """The way back: puts on what every answer wears, and keeps the body of HEAD to itself (RFC 9110 §9.3.2).

    Of a whole answer, the server does.
    """

    send: Send
    headers: list[tuple[bytes, bytes]]
    scope: HTTPScope
    status: int = field(init=False, default=0)

    async def __call__(self, message: Message) -> None:
        """Add the common response headers."""
        kind = message["type"]
        if kind in {"http.response.start", COMPLETE_RESPONSE}:
            whole_or_start: Any = message  # the types don't know of extensions
            self.status = whole_or_start["status"]
            whole_or_start["headers"] = self._dressed(list(whole_or_start.get("headers", ())))
            await self.send(message)
        elif kind == "http.response.body" and self.scope["method"] == "HEAD":
            if not message.get("more_body"):
                await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self.send(message)

    def _dressed(self, own: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = dict(own).keys()
        fixed = _ALWAYS if present.isdisjoint(_NAMES) else [pair for pair in _ALWAYS if pair[0] not in present]
        if b"allow" in present:
            own = [_with_head(pair) for pair in own]
        return [*own, *fixed, *self.headers, *told_allowance(self.scope)]


def _with_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Allow, as the router knows it, and HEAD wherever GET is (RFC 9110 §10.2.1)."""
    name, value = header
    if name != b"allow":
        return header
    methods = {method.strip() for method in value.split(b",")}
    return name, b", ".join(sorted(methods | ({b"HEAD"} if b"GET" in methods else set())))


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(text := given.decode("latin-1")):
        return text
    return urandom(16).hex()


def _ensure_acceptable(scope: HTTPScope, headers: list[tuple[bytes, bytes]], fields: dict[bytes, bytes]) -> None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
        raise ClientException(status_code=414, detail="The address is too long: 8 KiB at most.")
    if sum(map(len, chain.from_iterable(headers))) > MAX_HEADERS:
        raise ClientException(status_code=431, detail="The header fields are too large: 32 KiB at most.")
    if b"host" in fields and len(fields) == len(headers):  # none stands more than once
        return
    hosts = [name for name, _ in headers].count(b"host")
    if hosts > 1 or (hosts == 0 and scope["http_version"] != "1.0"):
        raise ClientException(detail="A request names its host in exactly one Host header (RFC 9112 §3.2).")
