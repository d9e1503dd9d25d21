"""Answers on the hot path: an ASGI application each, which costs half of what Litestar's Response does."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import msgspec
from attrs import frozen
from litestar.types import Receive, Scope, Send

from adapters.http.conditional_requests import etag
from adapters.http.schemas import TaskPageView, TaskView
from domain.task import Revision, Task

_ENCODER: Final = msgspec.json.Encoder()
_JSON: Final = (b"content-type", b"application/json")

COMPLETE_RESPONSE: Final = "http.response.whole"
"""An ASGI extension of this service's: a message with status, headers and body, after which the answer is complete."""

Headers = list[tuple[bytes, bytes]]


@frozen
class Response:
    """A status, header fields, and a body."""

    status: int
    headers: Headers
    body: bytes = b""

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Send it, in one message where the server takes that."""
        whole: Any = {"type": COMPLETE_RESPONSE, "status": self.status, "headers": self.headers, "body": self.body}
        if COMPLETE_RESPONSE in (scope.get("extensions") or ()):
            await send(whole)
        else:
            for part in to_asgi_messages(whole):
                await send(part)


def to_asgi_messages(whole: Mapping[str, Any]) -> tuple[Any, Any]:
    """A whole answer as every ASGI server takes it."""
    return (
        {"type": "http.response.start", "status": whole["status"], "headers": whole["headers"]},
        {"type": "http.response.body", "body": whole["body"], "more_body": False},
    )


def task_response(task: Task, *, status: int = 200, **more: str) -> Response:
    """A task with its entity tag, and more header fields by their names."""
    headers = [(name.lower().encode(), value.encode()) for name, value in more.items()]
    return _json(status, TaskView.of(task), task.revision, headers)


def page_response(view: TaskPageView, revision: Revision, link: str | None) -> Response:
    """A page with the list's entity tag, and the link to the page that follows."""
    return _json(200, view, revision, [] if link is None else [(b"link", link.encode())])


def not_modified(revision: Revision) -> Response:
    """The client has it as it is (RFC 9110 §15.4.5)."""
    return Response(304, [_etag(revision)])


@lru_cache(4096)
def list_path(user_id: str) -> str:
    """The path of a user's list."""
    return f"/api/{quote(user_id, safe='')}/tasks"


def _json(status: int, view: Any, revision: Revision, more: Headers) -> Response:
    body = _ENCODER.encode(view)
    return Response(status, [_JSON, (b"content-length", b"%d" % len(body)), _etag(revision), *more], body)


def _etag(revision: Revision) -> tuple[bytes, bytes]:
    return b"etag", etag(revision).encode()
