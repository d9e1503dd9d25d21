"""The application on a real server in this process, and a client of event streams that shares no code with it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import uvicorn
from attrs import define, field, frozen
from dishka import Provider, Scope, provide

from adapters.http.open_streams import OpenStreams
from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from application.access import Authenticate
from application.change_feed import ChangeFeed
from application.ports import Clock, TaskLists
from application.sync import WatchChanges
from entrypoints.asgi import create_app
from entrypoints.settings import Settings
from tests.support.api import Api, InMemory, KeysOf, settings
from tests.support.service import HOST
from tests.support.tokens import Issuer

EVENTS: Final = "/api/alice/tasks/events"
HANG: Final = 60.0
"""Seconds after which a test gives up on what should have come at once."""
SOON: Final = 0.1
"""Seconds between heartbeats, and between checks of tokens, where a test need not wait for the real ones."""


@frozen
class Event:
    """One event of a stream (WHATWG HTML §9.2.6)."""

    name: str
    data: Any
    id: str | None
    """`None`: it has no id of its own."""


@define
class EventStream:
    """What a stream sends, read as browsers do."""

    response: httpx.Response
    retry: int | None = None
    comments: int = 0
    """How many have come."""
    _events: AsyncIterator[Event] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._events = self._parse()

    async def next(self, name: str | None = None) -> Event:
        """The next event, which must be of this name. Raises StopAsyncIteration at the end."""
        async with asyncio.timeout(HANG):
            event = await anext(self._events)
        assert name in {None, event.name}, event
        return event

    async def rest(self) -> list[Event]:
        """All events until the stream ends."""
        async with asyncio.timeout(HANG):
            return [event async for event in self._events]

    async def _parse(self) -> AsyncIterator[Event]:
        name, event_id = "message", None
        data: list[str] = []
        async for line in self.response.aiter_lines():
            field_name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field_name:
                case "" if line:
                    self.comments += 1
                case "":
                    if data:
                        yield Event(name, json.loads("\n".join(data)), event_id)
                    name, event_id, data = "message", None, []
                case "event":
                    name = value
                case "data":
                    data.append(value)
                case "id":
                    event_id = value
                case "retry":
                    self.retry = int(value)
                case _:
                    raise AssertionError(f"a browser would ignore {line}")


@frozen
class Live:
    """A running server."""

    api: Api
    server: uvicorn.Server
    port: int

    @asynccontextmanager
    async def stream(
        self, path: str = EVENTS, *, token: str | None = None, last_id: str | None = None, **headers: str
    ) -> AsyncIterator[EventStream]:
        """Open a stream, which must be one."""
        sent = {"Authorization": f"Bearer {token or self.api.issuer.token()}", **headers}
        if last_id is not None:
            sent["Last-Event-ID"] = last_id
        async with self.api.http.stream("GET", path, headers=sent) as response:
            assert response.status_code == 200, await response.aread()
            assert response.headers["Content-Type"] == "text/event-stream"
            yield EventStream(response)

    def stop(self) -> None:
        """As SIGTERM does."""
        self.server.should_exit = True


class Quick(Provider):
    """Short intervals."""

    scope = Scope.APP

    def __init__(self, idle_after: float = HANG, check_interval: float = SOON) -> None:
        super().__init__()
        self.idle_after, self.check_interval = idle_after, check_interval

    @provide
    def watch_changes(self, lists: TaskLists, feed: ChangeFeed) -> WatchChanges:
        return WatchChanges(lists, feed, self.idle_after)

    @provide
    def open_streams(self, settings: Settings, authenticate: Authenticate, clock: Clock) -> OpenStreams:
        limits = (settings.streams_per_user, settings.max_streams)
        return OpenStreams(authenticate.why_ended, clock, *limits, check_interval=self.check_interval)


@asynccontextmanager
async def serving(
    *overrides: Provider, protocol: type[HardenedHttpProtocol] = HardenedHttpProtocol, grace: int = 30, **env: str
) -> AsyncIterator[Live]:
    """The application on a free port; its lists are in memory unless an override says otherwise."""
    issuer = Issuer.new()
    app = create_app(settings(**env), KeysOf(issuer), InMemory(), *overrides)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace,
    )
    server = uvicorn.Server(config)
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve([listening]))
        try:
            while not server.started:  # noqa: ASYNC110  (uvicorn tells of it by no event)
                await asyncio.sleep(0.01)
            async with httpx.AsyncClient(
                base_url=f"http://{HOST}:{port}", timeout=HANG, trust_env=False, verify=False
            ) as http:
                yield Live(Api(http, issuer), server, port)
        finally:
            server.should_exit = True
            await serving
