"""What is written: a response, the headers that every response has, and problems."""

import logging
import traceback
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
from attrs import define, field, frozen
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from adapters.http.context import RequestContext
from adapters.http.cors import Cors
from adapters.http.error_mapping import problem_of
from adapters.http.problems import MEDIA_TYPE
from adapters.http.schemas import TaskPageView, TaskView
from domain.errors import TooManyRequests
from domain.rate_limit import RateLimitStatus
from domain.task import Revision, Task

logger = logging.getLogger(__name__)

HeaderLines = list[tuple[bytes, bytes]]

_ENCODER: Final = msgspec.json.Encoder()
_JSON: Final = (b"content-type", b"application/json")
_SECURITY_HEADERS: Final = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
_SECURITY_HEADER_NAMES: Final = frozenset(name for name, _ in _SECURITY_HEADERS)
_SOURCES: Final = str(Path(__file__).parents[2])


@frozen
class Response:
    """Status, headers and body; an ASGI application, at half the cost of Litestar's Response."""

    status: int
    headers: HeaderLines
    body: bytes = b""

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Deferred(Response):
    """Stands for the request's `stream`, which follows."""

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send nothing."""


DEFERRED: Final = Deferred(200, [])


@define
class HeaderInjector:
    """Sends a response with the headers that every response has, and none of the body of HEAD (RFC 9110 §9.3.2)."""

    _send: Send
    _scope: HTTPScope
    _context: RequestContext
    _cors: Cors
    status: int = field(init=False, default=0)
    """Of the response that has begun; 0 before."""

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._with_common(list(message.get("headers", ())))
        elif message["type"] == "http.response.body" and self._scope["method"] == "HEAD":
            if message.get("more_body"):
                return
            message["body"] = b""
        await self._send(message)

    async def respond(self, response: Response) -> None:
        """Send a whole response, unless it is deferred."""
        if response is DEFERRED:
            return
        self.status = response.status
        headers = self._with_common(response.headers)
        body = b"" if self._scope["method"] == "HEAD" else response.body
        await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def _with_common(self, own: HeaderLines) -> HeaderLines:
        names = dict(own).keys()
        if names.isdisjoint(_SECURITY_HEADER_NAMES):
            security = _SECURITY_HEADERS
        else:
            security = [line for line in _SECURITY_HEADERS if line[0] not in names]
        if b"allow" in names:
            own = [_with_head(line) for line in own]
        context = self._context
        origin = context.headers.first(b"origin")
        return [
            *own,
            *security,
            (b"x-request-id", context.request_id.encode()),
            (b"vary", b"Origin"),
            *(() if origin is None else self._cors.headers(origin)),
            *(() if context.rate_limit is None else rate_limit_headers(context.rate_limit)),
        ]


def _with_head(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Allow as the router knows it, and HEAD wherever GET is (RFC 9110 §10.2.1)."""
    name, value = line
    if name != b"allow":
        return line
    methods = {method.strip() for method in value.split(b",")}
    return name, b", ".join(sorted(methods | ({b"HEAD"} if b"GET" in methods else set())))


def rate_limit_headers(status: RateLimitStatus) -> HeaderLines:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10 §3, §4)."""
    limit = status.limit
    policy = limit.policy
    return [
        (b"ratelimit", f'"{policy}";r={status.remaining};t={status.reset_seconds}'.encode()),
        (b"ratelimit-policy", f'"{policy}";q={limit.amount};w={limit.seconds}'.encode()),
    ]


def json_response(view: Any, *, status: int = 200, headers: HeaderLines | None = None) -> Response:
    """A view as JSON."""
    body = _ENCODER.encode(view)
    return Response(status, [_JSON, (b"content-length", b"%d" % len(body)), *(headers or ())], body)


def task_response(task: Task, *, status: int = 200, location: str | None = None, is_replayed: bool = False) -> Response:
    """A task with its entity tag, and where a new one is."""
    more = [] if location is None else [(b"location", location.encode())]
    if is_replayed:
        more.append((b"idempotency-replayed", b"true"))
    return json_response(TaskView.of(task), status=status, headers=[_etag(task.revision), *more])


def page_response(view: TaskPageView, revision: Revision, link: str | None) -> Response:
    """A page with the list's entity tag, and the link to the next page."""
    more = [] if link is None else [(b"link", link.encode())]
    return json_response(view, headers=[_etag(revision), *more])


def not_modified(revision: Revision) -> Response:
    """304: the client's copy is current (RFC 9110 §15.4.5)."""
    return Response(304, [_etag(revision)])


def _etag(revision: Revision) -> tuple[bytes, bytes]:
    """The revision as a strong entity tag (RFC 9110 §8.8.3)."""
    return b"etag", b'"%d"' % revision


@lru_cache(4096)
def list_path(user_id: str) -> str:
    """The path of a user's list."""
    return f"/api/{quote(user_id, safe='')}/tasks"


def error_response(error: Exception, context: RequestContext) -> Response:
    """The problem for an error (RFC 9457); an unexpected one is logged."""
    if isinstance(error, TooManyRequests):
        context.rate_limit = error.status
    problem, headers = problem_of(error, context)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log_unexpected(error)
    body = msgspec.json.encode(problem)
    fields: Mapping[str, str] = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **headers}
    return Response(problem.status, [(name.lower().encode(), value.encode()) for name, value in fields.items()], body)


def _log_unexpected(error: Exception) -> None:
    """Log an unexpected error without its message, which may quote what a person wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for place, frame in enumerate(frames, start=1)
        if frame.filename.startswith(_SOURCES) or place == len(frames)
    ]
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__
    sqlstate = getattr(getattr(error, "orig", None), "sqlstate", None)
    logger.error("unexpected error", extra={"error": kinds, "sqlstate": sqlstate, "where": where})
