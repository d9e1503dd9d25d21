"""The calls on a user's tasks. Handlers translate; they never decide."""

from http import HTTPStatus
from typing import Final

from msgspec import UnsetType

from adapters.http.conditional_requests import if_match, if_none_match
from adapters.http.context import RequestContext
from adapters.http.idempotency import idempotency_key
from adapters.http.list_params import next_link, read_query
from adapters.http.request import JSON, MERGE_PATCH, Body, parse_task_id
from adapters.http.responses import Response, list_path, not_modified, page_response, task_response
from adapters.http.routing import TASK, TASKS, Operation, Services, route
from adapters.http.schemas import (
    EXAMPLE_TASK,
    Completion,
    NewTask,
    Restoration,
    TaskPageView,
    TaskUpdate,
    TaskView,
)
from domain.identity import UserId
from domain.task import NO_REVISION, Revisions, Task
from domain.task_list import NotModified

_BODY_ERRORS: Final = tuple(map(HTTPStatus, (400, 413, 415, 422)))
_CHANGE_ERRORS: Final = (*_BODY_ERRORS, HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED)


@route(
    "GET",
    TASKS,
    Operation(
        id="listTasks",
        summary="List tasks, a page at a time.",
        result="One page of the tasks.",
        response=TaskPageView,
        example={"data": [EXAMPLE_TASK], "count": 1, "next_cursor": None},
        errors=(HTTPStatus.UNPROCESSABLE_ENTITY,),
        condition="If-None-Match",
    ),
    direct=True,
)
async def list_tasks(services: Services, request: RequestContext, _: None) -> Response:
    """List tasks; from the page cache when the list has not changed since."""
    owner, query_string = UserId(request.user_id), request.query_string
    query = read_query(query_string)
    known_to_client = _known_to_client(request)
    cached = services.page_cache.find(owner, query_string)
    known = known_to_client if cached is None else cached.known_revisions(known_to_client)
    page = await services.list_tasks(request.principal, owner, query, known=known)
    if isinstance(page, NotModified):
        if cached is None or (known_to_client is not None and page.revision in known_to_client):
            return not_modified(page.revision)
        return cached.response
    view = TaskPageView.of(page, query)
    path = request.root_path + list_path(owner)
    link = None if view.next_cursor is None else next_link(path, query_string, view.next_cursor)
    response = page_response(view, page.revision, link)
    services.page_cache.store(owner, query_string, page.revision, response)
    return response


@route(
    "POST",
    TASKS,
    Operation(
        id="createTask",
        summary="Create a task.",
        status=HTTPStatus.CREATED,
        result="The task as it was stored.",
        response=TaskView,
        example=EXAMPLE_TASK,
        errors=(*_BODY_ERRORS, HTTPStatus.CONFLICT),
    ),
    body=Body(NewTask, {"title": "Buy milk", "description": "Two bottles"}),
    direct=True,
)
async def create_task(services: Services, request: RequestContext, new: NewTask) -> Response:
    """Create a task; one with an idempotency key at most once."""
    owner = UserId(request.user_id)
    if (key := idempotency_key(request, "POST", list_path(owner))) is not None:
        task, is_replayed = await services.create_task_once(
            request.principal, owner, key, title=new.title, description=new.description
        )
        return task_response(task, status=201, location=_location(request, task), is_replayed=is_replayed)
    task = await services.create_task(request.principal, owner, title=new.title, description=new.description)
    return task_response(task, status=201, location=_location(request, task))


def _location(request: RequestContext, task: Task) -> str:
    """The path of a task, as clients see it."""
    return f"{request.root_path}{list_path(task.owner)}/{task.id}"


@route(
    "GET",
    TASK,
    Operation(
        id="getTask",
        summary="Get a task.",
        response=TaskView,
        example=EXAMPLE_TASK,
        errors=(HTTPStatus.NOT_FOUND,),
        condition="If-None-Match",
    ),
    direct=True,
)
async def get_task(services: Services, request: RequestContext, _: None) -> Response:
    """Get a task."""
    known = _known_to_client(request)
    seen = NO_REVISION if known is None else known.latest
    task_id = parse_task_id(request.task_id)
    task = await services.get_task(request.principal, UserId(request.user_id), task_id, seen=seen)
    if known is not None and task.revision in known:
        return not_modified(task.revision)
    return task_response(task)


async def _change_task(services: Services, request: RequestContext, update: TaskUpdate) -> Response:
    expected = _expected(request)
    task = await services.change_task(
        request.principal,
        UserId(request.user_id),
        parse_task_id(request.task_id),
        update.change(),
        expected=expected,
    )
    return task_response(task)


update_task = route(
    "PUT",
    TASK,
    Operation(
        id="updateTask",
        summary="Change a task: only the members that are there; null clears the description.",
        response=TaskView,
        example=EXAMPLE_TASK,
        errors=_CHANGE_ERRORS,
        condition="If-Match",
    ),
    body=Body(TaskUpdate, {"title": "Buy oat milk", "description": None}),
)(_change_task)

patch_task = route(
    "PATCH",
    TASK,
    Operation(
        id="patchTask",
        summary="Change a task: the same as PUT (RFC 7396).",
        response=TaskView,
        example=EXAMPLE_TASK,
        errors=_CHANGE_ERRORS,
        condition="If-Match",
    ),
    body=Body(TaskUpdate, {"completed": True}, media_types=(JSON, MERGE_PATCH)),
)(_change_task)


@route(
    "DELETE",
    TASK,
    Operation(
        id="deleteTask",
        summary="Delete a task.",
        status=HTTPStatus.NO_CONTENT,
        result="The task is deleted.",
        errors=tuple(map(HTTPStatus, (400, 404, 412))),
        condition="If-Match",
    ),
)
async def delete_task(services: Services, request: RequestContext, _: None) -> Response:
    """Delete a task."""
    expected = _expected(request)
    await services.delete_task(
        request.principal,
        UserId(request.user_id),
        parse_task_id(request.task_id),
        expected=expected,
    )
    return Response(204, [])


@route(
    "PATCH",
    f"{TASK}/complete",
    Operation(
        id="completeTask",
        summary="Toggle whether a task is done; a body says which, so that a retry is safe.",
        response=TaskView,
        example=EXAMPLE_TASK,
        errors=_CHANGE_ERRORS,
        condition="If-Match",
    ),
    body=Body(Completion, {"completed": True}, is_required=False),
)
async def complete_task(services: Services, request: RequestContext, body: Completion | None) -> Response:
    """Toggle whether a task is done, or set it."""
    expected = _expected(request)
    task = await services.complete_task(
        request.principal,
        UserId(request.user_id),
        parse_task_id(request.task_id),
        completed=None if body is None or isinstance(body.completed, UnsetType) else body.completed,
        expected=expected,
    )
    return task_response(task)


@route(
    "POST",
    f"{TASK}/restore",
    Operation(
        id="restoreTask",
        summary="Restore a deleted task; one that is not deleted stays as it is, so that a retry is safe.",
        response=TaskView,
        example=EXAMPLE_TASK | {"updated_at": "2026-01-02T09:00:00Z", "revision": 3},
        errors=_CHANGE_ERRORS,
        condition="If-Match",
        condition_note=" A deleted task has the revision of its deletion, and `*` does not match it.",
    ),
    body=Body(Restoration, {}, is_required=False),
)
async def restore_task(services: Services, request: RequestContext, _: Restoration | None) -> Response:
    """Restore a deleted task."""
    expected = _expected(request)
    task = await services.restore_task(
        request.principal,
        UserId(request.user_id),
        parse_task_id(request.task_id),
        expected=expected,
    )
    return task_response(task)


def _expected(request: RequestContext) -> Revisions | None:
    header = request.headers.get(b"if-match")
    return None if header is None else if_match(header)


def _known_to_client(request: RequestContext) -> Revisions | None:
    header = request.headers.get(b"if-none-match")
    return None if header is None else if_none_match(header)


ROUTES: Final = (
    list_tasks,
    create_task,
    get_task,
    update_task,
    patch_task,
    delete_task,
    complete_task,
    restore_task,
)
