"""The calls of clients that keep a copy of a list: pages of changes, and a stream of them.

The stream is an ASGI application of its own (WHATWG HTML §9.2): Litestar's server-sent events have no heartbeat.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final

import msgspec
from attrs import frozen
from litestar.types import Receive, Send

from adapters.http.context import NO_HEADERS, RequestContext
from adapters.http.open_streams import STOPPING, OpenStream
from adapters.http.responses import DEFERRED, HeaderLines, Response, json_response
from adapters.http.routing import CHANGES, EVENTS, Operation, Services, route
from adapters.http.schemas import EXAMPLE_EVENTS, EXAMPLE_TASK, EXAMPLE_TASK_ID, ChangesView, TaskView
from adapters.http.sync_params import encode_sync_token, read_changes_query, read_stream_start
from application.sync import Changed, Idle, Reset, Started, Update
from domain.changes import Deletion, SyncToken
from domain.identity import UserId
from domain.revocation import TOKEN_REVOKED

RETRY_MS: Final = (1000, 5000)
"""Range of the delay before clients reconnect: random, so that those that lost a worker do not return at once.

Long ones are more frequent: clients wait for a random part of theirs, and so come back more evenly.
"""
PIECE: Final = 16 * 1024
"""Bytes, about, that are sent at once; the next ones are made when the client has taken them."""

_HEADERS: Final[HeaderLines] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_HEARTBEAT: Final = b":\n\n"
_ENCODER: Final = msgspec.json.Encoder()


@frozen(kw_only=True)
class EventStream:
    """Sends updates of the request's list as they come, each when the client has taken the one before."""

    request: RequestContext
    updates: AsyncGenerator[Update]
    services: Services
    ready_id: str | None = None
    """The id of the event `ready`; `None`: the position where the updates start."""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send until the stream is ended; what is raised before it starts is a problem.

        The server cancels the task when the client has left or the server stops, which this does not tell apart.
        """
        if scope["method"] == "HEAD":
            await Response(200, _HEADERS)(scope, receive, send)
            return
        with self.services.open_streams.open(self.request.principal) as stream:
            self.services.stream_metrics.count_streams(1)
            try:
                await self._follow(scope, stream, send)
            finally:
                self.services.stream_metrics.count_streams(-1)

    async def _follow(self, scope: Any, stream: OpenStream, send: Send) -> None:
        async with aclosing(self.updates) as updates:
            first = await anext(updates)
            self.request.answered_at = time.perf_counter()
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            try:
                await self._send(first, send)
                self.request.headers, scope["headers"] = NO_HEADERS, []  # kilobytes, of which nothing is read again
                while True:
                    await self._send(await anext(updates), send)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
                if stream.reason == TOKEN_REVOKED:
                    self.services.authorize.record_revoked(stream.principal, self.request.audit)
                await _send(send, _event("end", {"reason": stream.reason or STOPPING}), more_body=False)

    async def _send(self, update: Update, send: Send) -> None:
        for piece in self._pieces(update):
            await _send(send, piece)
        if isinstance(update, Changed) and update.noticed_at is not None:
            self.services.stream_metrics.observe_delay(time.monotonic() - update.noticed_at)

    def _pieces(self, update: Update) -> Iterator[bytes]:
        match update:
            case Started(position):
                retry = b"retry: %d\n\n" % random.triangular(*RETRY_MS, RETRY_MS[1])  # noqa: S311  (spreads the clients)
                yield retry + _event("ready", {}, self.ready_id or self._id(position))
            case Reset(position):
                yield self._counted("reset", {}, position)
            case Changed():
                yield from self._changes(update)
            case Idle():
                yield _HEARTBEAT

    def _changes(self, update: Changed) -> Iterator[bytes]:
        piece = bytearray()
        for change in update.changes:
            position = update.after.moved_to(change.revision)
            if isinstance(change, Deletion):
                piece += self._counted("task.deleted", {"id": change.id, "revision": change.revision}, position)
            else:
                piece += self._counted("task.changed", TaskView.of(change), position)
            if len(piece) >= PIECE:
                yield bytes(piece)
                piece.clear()
        if piece:
            yield bytes(piece)

    def _counted(self, name: str, data: Any, position: SyncToken) -> bytes:
        self.services.stream_metrics.count_event(name)
        return _event(name, data, self._id(position))

    def _id(self, position: SyncToken) -> str:
        return encode_sync_token(position, UserId(self.request.user_id))


def _event(name: str, data: Any, event_id: str | None = None) -> bytes:
    """An event; each has a data line, because browsers drop others."""
    id_line = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{id_line}data: ".encode() + _ENCODER.encode(data) + b"\n\n"


async def _send(send: Send, body: bytes, *, more_body: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more_body})


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
    EVENTS,
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
    direct=True,
)
async def watch_tasks(services: Services, request: RequestContext, _: None) -> Response:
    """Follow the list from a sync token, or from now on."""
    owner = UserId(request.user_id)
    start = read_stream_start(request.query_string, request.headers.get(b"last-event-id"), owner)
    request.stream = EventStream(
        request=request,
        updates=services.watch_changes(request.principal, owner, start.since),
        services=services,
        ready_id=start.given,
    )
    return DEFERRED


ROUTES: Final = (list_changes, watch_tasks)
