"""The three calls that most requests are, and a way to them past the router.

The router, its request and the injection cost as much as the rest of such a call. Only the plainest form of a request
goes this way. Every other one, and every odd one, takes the router's, to the same functions and the same answers.
"""

from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from attrs import frozen
from litestar.exceptions import ClientException
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from adapters.http.conditional_requests import if_none_match
from adapters.http.injection import UseCases, principal_of
from adapters.http.list_params import next_link, parse_query
from adapters.http.page_cache import PageCache
from adapters.http.request import BROKEN_OFF, HTTP, JSON, MAX_BODY, decode_json, field, plain_fields, task_id_of
from adapters.http.responses import Response, list_path, not_modified, page_response, task_response
from adapters.http.schemas import NewTask, TaskPageView
from application.tasks import CreateTask, GetTask, ListTasks
from domain.identity import UserId
from domain.task_list import NotModified, TaskQuery

LIST: Final = "/api/{user_id}/tasks"
TASK: Final = "/api/{user_id}/tasks/{task_id}"
"""As the router names them, for the log and the metrics."""

_JSON: Final = JSON.encode()


async def list_page(list_tasks: ListTasks, scope: HTTPScope, owner: UserId, stored: PageCache) -> Response:
    """List tasks."""
    asked = scope["query_string"]
    query = _query(asked)
    by_client = if_none_match(field(scope, b"if-none-match"))
    before = stored.find(owner, asked)
    known = by_client if before is None else before.known_revisions(by_client)
    page = await list_tasks(principal_of(scope), owner, query, known=known)
    if isinstance(page, NotModified):
        if before is None or (by_client is not None and page.revision in by_client):
            return not_modified(page.revision)
        return before.answer
    view = TaskPageView.of(page, query)
    follows = view.next_cursor
    link = None if follows is None else next_link(list_path(owner), _pairs(asked), follows)
    answer = page_response(view, page.revision, link)
    stored.store(owner, asked, page.revision, answer)
    return answer


async def read_task(get_task: GetTask, scope: HTTPScope, owner: UserId, task_id: str) -> Response:
    """Get a task."""
    task = await get_task(principal_of(scope), owner, task_id_of(task_id))
    known = if_none_match(field(scope, b"if-none-match"))
    if known is not None and task.revision in known:
        return not_modified(task.revision)
    return task_response(task)


async def create(create_task: CreateTask, scope: HTTPScope, owner: UserId, new: NewTask) -> Response:
    """Create a task."""
    task = await create_task(principal_of(scope), owner, title=new.title, description=new.description)
    return task_response(task, status=201, location=f"{list_path(owner)}/{task.id}")


@frozen
class FastRoutes:
    """ASGI middleware that answers those calls, where they are plain, to whom authorization has let pass."""

    app: ASGIApp
    use_cases: UseCases
    stored: PageCache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        call = self._call_of(scope, receive) if scope["type"] == HTTP else None
        if call is None:
            await self.app(scope, receive, send)
        else:
            await (await call)(scope, receive, send)

    def _call_of(self, scope: HTTPScope, receive: Receive) -> Awaitable[Response] | None:
        """What answers the request."""
        if "principal" not in scope["state"]:
            return None
        match scope["method"], scope["path"].split("/"):
            case "GET", ["", "api", owner, "tasks", task_id] if owner and task_id:
                scope["path_template"] = TASK
                return read_task(self.use_cases.get_task, scope, UserId(owner), task_id)
            case "GET", ["", "api", owner, "tasks"] if owner:
                scope["path_template"] = LIST
                return list_page(self.use_cases.list_tasks, scope, UserId(owner), self.stored)
            case "POST", ["", "api", owner, "tasks"] if owner and _has_plain_body(plain_fields(scope)):
                scope["path_template"] = LIST
                return _create(self.use_cases.create_task, scope, UserId(owner), receive)
        return None


async def _create(create_task: CreateTask, scope: HTTPScope, owner: UserId, receive: Receive) -> Response:
    return await create(create_task, scope, owner, decode_json(await _body(receive), NewTask))


def _has_plain_body(fields: Mapping[bytes, bytes] | None) -> bool:
    """Whether a body of JSON comes whose length is told, and is neither nothing nor too much."""
    if fields is None:  # one stands twice
        return False
    length = fields.get(b"content-length", b"")
    return (
        fields.get(b"content-type") == _JSON
        and b"content-encoding" not in fields
        and b"transfer-encoding" not in fields
        and length.isdigit()
        and 0 < int(length[: len(str(MAX_BODY)) + 1]) <= MAX_BODY
    )


async def _body(receive: Receive) -> bytes:
    """The whole body, as long as the server has seen that it is (RFC 9112 §6.3).

    Raises:
        ClientException: (400) the client went away before its end.
    """
    body, is_more = b"", True
    while is_more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientException(detail=BROKEN_OFF)
        body += message["body"]
        is_more = message["more_body"]
    return body


@lru_cache(256)
def _pairs(query_string: bytes) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))


@lru_cache(256)
def _query(query_string: bytes) -> TaskQuery:
    """What is asked for. Remembered, because most lists are asked for in the same few ways."""
    return parse_query(_pairs(query_string))
