"""A list's changes as a stream of server-sent events (WHATWG HTML §9.2).

An ASGI application of its own, because Litestar's server-sent events have no heartbeat.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, Final

import msgspec
from attrs import frozen
from litestar.types import Receive, Send

from adapters.http.context import RequestContext
from adapters.http.metrics import StreamMetrics
from adapters.http.open_streams import OpenStream, OpenStreams
from adapters.http.responses import HeaderLines, Response
from adapters.http.schemas import TaskView
from adapters.http.sync_params import encode_sync_token
from application.sync import Changed, Idle, Reset, Started, Update
from domain.changes import Deletion, SyncToken
from domain.identity import UserId

RETRY_MS: Final = (1000, 5000)
"""Range of the delay before clients reconnect: random, so that those that lost a worker do not return at once."""
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
    streams: OpenStreams
    metrics: StreamMetrics
    ready_id: str | None = None
    """The id of the event `ready`; `None`: the position where the updates start."""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send until the client leaves, or the stream is ended; what is raised before it starts is a problem."""
        async with aclosing(self.updates) as updates:
            if scope["method"] == "HEAD":
                await Response(200, _HEADERS)(scope, receive, send)
                return
            with self.streams.open(self.request.principal) as stream, self.metrics.stream():
                first = await anext(updates)
                self.request.answered_at = time.perf_counter()
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await self._follow(stream, first, receive, send)

    async def _follow(self, stream: OpenStream, first: Update, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_wait_for_disconnect(receive))
        leaving.add_done_callback(stream.end_after)
        try:
            await self._send(first, send)
            async for update in self.updates:
                await self._send(update, send)
        except asyncio.CancelledError:
            if stream.reason is None:
                raise  # the server's time is up
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            await _send(send, _event("end", {"reason": stream.reason}), more_body=False)
        finally:
            leaving.cancel()

    async def _send(self, update: Update, send: Send) -> None:
        for piece in self._pieces(update):
            await _send(send, piece)
        if isinstance(update, Changed) and update.noticed_at is not None:
            self.metrics.observe_delay(time.monotonic() - update.noticed_at)

    def _pieces(self, update: Update) -> Iterator[bytes]:
        match update:
            case Started(position):
                retry = b"retry: %d\n\n" % random.randint(*RETRY_MS)  # noqa: S311  (spreads the clients)
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
        self.metrics.count_event(name)
        return _event(name, data, self._id(position))

    def _id(self, position: SyncToken) -> str:
        return encode_sync_token(position, UserId(self.request.user_id))


def _event(name: str, data: Any, event_id: str | None = None) -> bytes:
    """An event; each has a data line, because browsers drop others."""
    id_line = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{id_line}data: ".encode() + _ENCODER.encode(data) + b"\n\n"


async def _send(send: Send, body: bytes, *, more_body: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more_body})


async def _wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has left, or the server stops: it says the same, and can still send."""
    while (await receive())["type"] != "http.disconnect":
        pass
