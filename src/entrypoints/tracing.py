"""Traces with OpenTelemetry: a span for each request, use case, statement on tasks, and fetch of the key set.

OpenTelemetry's own environment variables configure it. No attribute has anything that a person wrote or that names a
person: spans have routes instead of paths, statements without their arguments, and the types of errors alone.
"""

import asyncio
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from attrs import evolve, field, fields, frozen
from dishka import Provider, Scope
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Send
from litestar.types import Scope as AsgiScope
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.http.context import current_request, current_trace_id
from adapters.http.routing import Services
from adapters.sql.compiled_statements import ASYNCPG
from adapters.sql.database import Database
from adapters.sql.sqlite import SQLITE
from adapters.tokens.jwks import HttpJwks, PublicKey
from entrypoints.spans import TracedExecutor, span

NAME: Final = "evo-todo"
FLUSH_TIMEOUT: Final = 1.0
"""Seconds that a worker which stops gives the spans that were not sent yet."""
SERVER_ERROR: Final = 500

_CONTEXT: Final = TraceContextTextMapPropagator()
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@frozen
class Tracing:
    """Adds spans to an application."""

    _provider: TracerProvider

    @property
    def _tracer(self) -> Tracer:
        return self._provider.get_tracer(NAME)

    def app(self, app: ASGIApp) -> ASGIApp:
        """The application with a span for each request."""
        return TracedApp(app, self._tracer)

    def provider(self) -> Provider:
        """Decorates the use cases, the database and the key set."""
        tracer, decorated = self._tracer, Provider(scope=Scope.APP)

        def database(inner: Database) -> Database:
            dialect = ASYNCPG if inner.dialect == "postgresql" else SQLITE
            return evolve(inner, trace=lambda executor: TracedExecutor(executor, tracer, dialect, inner.dialect))

        def key_set(inner: HttpJwks) -> HttpJwks:
            inner.client.event_hooks = {"request": [_send_context]}
            return TracedJwks(inner.client, inner.url, inner.timeout, inner.max_bytes, tracer=tracer)

        decorated.decorate(database)
        decorated.decorate(key_set)
        for use_case in fields(Services):
            kind: Any = use_case.type
            if not use_case.init and iscoroutinefunction(kind.__call__):
                decorated.decorate(_traced(kind, tracer))
        return decorated

    async def close(self) -> None:
        """Send the spans that were not sent yet, and stop."""
        await asyncio.to_thread(self._provider.force_flush, int(FLUSH_TIMEOUT * 1000))
        await asyncio.to_thread(self._provider.shutdown)


def start_tracing(env: Mapping[str, str]) -> Tracing:
    """Send spans to the collector that these variables name."""
    is_named = "OTEL_SERVICE_NAME" in env or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(
        resource=Resource.create({} if is_named else {SERVICE_NAME: NAME}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def _traced(kind: type[Any], tracer: Tracer) -> Any:
    """What decorates instances of a use case."""

    def decorate(inner: Any) -> Any:
        return TracedUseCase(inner, kind.__name__, tracer)

    decorate.__annotations__ = {"inner": kind, "return": kind}
    return decorate


@frozen
class TracedUseCase:
    """A use case with a span for each call; everything else is the use case's own."""

    _inner: Any
    _name: str
    _tracer: Tracer

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        with span(self._tracer, self._name):
            return await self._inner(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@frozen
class TracedApp:
    """An ASGI application with a span for each request."""

    _app: Any
    _tracer: Tracer

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve a request as a part of the client's trace, if it has one."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        status, method = 0, scope["method"] if scope["method"] in _METHODS else "_OTHER"

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with span(self._tracer, method, SpanKind.SERVER, parent=_parent_of(scope["headers"])) as current:
            current_trace_id.set(f"{current.get_span_context().trace_id:032x}")
            try:
                await self._app(scope, receive, note_status)
            finally:
                context = current_request.get()
                if context is not None:
                    current.update_name(f"{method} {context.route}")
                    current.set_attribute("http.route", context.route)
                    if context.request_id.encode() not in _request_ids(scope["headers"]):
                        current.set_attribute("evo_todo.request_id", context.request_id)
                current.set_attribute("http.request.method", method)
                current.set_attribute("http.response.status_code", status)
                if status >= SERVER_ERROR:
                    current.set_status(Status(StatusCode.ERROR))


@frozen
class TracedJwks(HttpJwks):
    """The key set, with a span for each fetch."""

    _tracer: Tracer = field(kw_only=True)

    async def __call__(self) -> dict[str, PublicKey]:
        """Fetch it as a part of the trace of the request that needs it."""
        with span(self._tracer, "fetch keys", SpanKind.CLIENT) as current:
            current.set_attribute("server.address", urlsplit(self.url).hostname or "")
            return await super().__call__()


async def _send_context(request: httpx.Request) -> None:
    _CONTEXT.inject(request.headers)


def _request_ids(headers: Any) -> list[bytes]:
    """Those that the client has chosen, which may be any text: log lines have them beside the trace's id."""
    return [value for name, value in headers if name == b"x-request-id"]


def _parent_of(headers: Any) -> Context | None:
    """The client's place in its trace; its `tracestate` is left out, which may have any text."""
    given = dict(headers).get(b"traceparent")
    return None if given is None else _CONTEXT.extract({"traceparent": given.decode("latin-1")})
