"""The calls of clients that keep a copy of a list."""

from http import HTTPStatus
from typing import Final

from adapters.http.context import RequestContext
from adapters.http.event_stream import EventStream
from adapters.http.responses import DEFERRED, Response, json_response
from adapters.http.routing import CHANGES, TASKS, Operation, Services, route
from adapters.http.schemas import EXAMPLE_EVENTS, EXAMPLE_TASK, EXAMPLE_TASK_ID, ChangesView
from adapters.http.sync_params import encode_sync_token, read_changes_query, read_stream_start
from domain.identity import UserId


@route(
    "GET",
    CHANGES,
    Operation(
        id="listChanges",
        summary="List what has changed since a sync token, a page at a time; without one, every task.",
        result="Tasks as they are now, each once, and the ids of those that are gone.",
        response=ChangesView,
        example={
            "data": [EXAMPLE_TASK],
            "deleted": [EXAMPLE_TASK_ID],
            "count": 1,
            "sync_token": "ASvYBskiPcsAAAAAAAAAAw",
            "has_more": False,
        },
        errors=(HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY),
    ),
    direct=True,
)
async def list_changes(services: Services, request: RequestContext, _: None) -> Response:
    """List the changes since a sync token."""
    owner = UserId(request.user_id)
    changes = await services.read_changes(request.principal, owner, read_changes_query(request.query_string, owner))
    return json_response(ChangesView.of(changes, encode_sync_token(changes.token, owner)))


@route(
    "GET",
    f"{TASKS}/events",
    Operation(
        id="watchTasks",
        summary="Follow a list: a stream of server-sent events, one for each change.",
        result="Events until the token expires or the service stops: `ready`, then `task.changed` (data: the task),"
        " `task.deleted` (data: `id` and `revision`), and `reset` where the list is to be read anew. The id of each is"
        " the sync token after it. `end` is the last one.",
        media_type="text/event-stream",
        example=EXAMPLE_EVENTS,
        errors=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    ),
)
async def watch_tasks(services: Services, request: RequestContext, _: None) -> Response:
    """Follow the list from a sync token, or from now on."""
    owner = UserId(request.user_id)
    start = read_stream_start(request.query_string, request.headers.get(b"last-event-id"), owner)
    request.stream = EventStream(
        request=request,
        updates=services.watch_changes(request.principal, owner, start.since),
        streams=services.open_streams,
        metrics=services.stream_metrics,
        ready_id=start.given,
    )
    return DEFERRED


ROUTES: Final = (list_changes, watch_tasks)
