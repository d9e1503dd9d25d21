"""Follows a list by its event stream, and by delta sync where something on the way holds the stream back."""

import json
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

import httpx

from evo_todo_client.event_stream import EventStreamParser, ServerEvent
from evo_todo_client.models import Changed, Changes, Deleted, Event, Reset, Status, Task, WatchTimes, member
from evo_todo_client.problems import ApiProblem, Unauthorized, Unreachable, unexpected_response
from evo_todo_client.session import Call, Session

_FAILURES_BEFORE_POLLING: Final = 2
_GONE: Final = 410
_LONGEST_RETRY_AFTER: Final = 86_400.0
_ABOUT_TOKEN: Final = re.compile("token|expire|revoke|session|account|purge", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Interruption:
    """Why there is no stream (any more): what to do before the next attempt."""

    spread: float | None = None
    """It is made within so many seconds after `retry_after`; `None`: at once."""
    is_held_back: bool = False
    """Something on the way holds events back."""
    retry_after: float = 0.0


class Watch:
    """One watch. `events` goes on until the client is closed, or raises what is no use to try again."""

    def __init__(
        self,
        session: Session,
        path: str,
        changes_since: Callable[[str | None], Awaitable[tuple[Changes, bool]]],
        since: str | None,
        on_status: Callable[[Status], object],
        times: WatchTimes,
    ) -> None:
        self._session, self._path, self._changes_since, self._position = session, path, changes_since, since
        self._on_status, self._times, self._retry = on_status, times, times.retry
        self._status: Status | None = None
        self._failures = self._periods = 0  # attempts since a stream was proven, and periods of polling since
        self._why = _Interruption()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Streams, and polls after those that fail; each ends by setting `_why`."""
        network = self._session.network
        while not network.is_closed:
            async with aclosing(self._stream()) as found:
                async for event in found:
                    yield event
            await self._pause()
            is_unproven = self._why.is_held_back or self._failures >= _FAILURES_BEFORE_POLLING
            if is_unproven and not network.is_closed:
                async with aclosing(self._poll()) as found:
                    async for event in found:
                        yield event
                await self._pause()

    async def _stream(self) -> AsyncGenerator[Event, None]:
        """Follow one stream to its end."""
        if self._status != "polling":
            self._report("connecting")
        position = {} if self._position is None else {"Last-Event-ID": self._position}
        headers = {"Accept": "text/event-stream"} | position
        try:
            response, token = await self._session.open(
                Call("GET", self._path, headers=headers, silence=self._times.silence)
            )
        except (ApiProblem, Unreachable) as error:
            self._why = self._interruption(error)
            return
        try:
            if response.headers.get("Content-Type", "").startswith("text/event-stream"):
                async with aclosing(self._follow(response, token)) as found:
                    async for event in found:
                        yield event
            else:
                self._why = self._interruption(unexpected_response())
        finally:
            await self._session.network.close(response)

    async def _follow(self, response: httpx.Response, token: str) -> AsyncGenerator[Event, None]:
        parser, chunks = EventStreamParser(), self._session.network.chunks(response)
        ready_at: float | None = None
        is_proven = is_silent = False
        reason: str | None = None
        while reason is None:
            try:
                chunk = await anext(chunks)
                events = [(one, _decoded(one)) for one in parser.parse(chunk)]
            except httpx.ReadTimeout:
                is_silent = True
                break
            except (StopAsyncIteration, httpx.RequestError, ValueError):
                break  # ended, broken, or not what the contract says
            is_proven = is_proven or (ready_at is not None and time.monotonic() - ready_at >= self._times.proof)
            for event, decoded in events:
                if event.name == "end":
                    reason = event.data
                    break
                if event.name == "ready":
                    ready_at = time.monotonic()
                    if self._position is None:
                        yield Reset(event.id)
                    self._report("live")
                elif decoded is not None:
                    yield decoded
                self._position = event.id or self._position
        self._retry = self._retry if parser.retry is None else parser.retry
        if is_proven:
            self._failures = self._periods = 0
        self._why = await self._after_end(token, reason, is_proven=is_proven, is_silent=is_silent)

    async def _after_end(self, token: str, reason: str | None, *, is_proven: bool, is_silent: bool) -> _Interruption:
        is_about_token = reason is not None and _ABOUT_TOKEN.search(reason) is not None
        if is_about_token:
            with suppress(Unauthorized, Unreachable):  # opening the next stream fails likewise, and is handled there
                await self._session.tokens.get(rejected=token)
            if is_proven:
                return _Interruption()
        if not is_proven:
            self._failures += 1
            if is_silent:
                return _Interruption(is_held_back=True)
        backoff = self._backoff()
        return _Interruption(backoff if reason is None or is_about_token else max(self._times.restart, backoff))

    async def _poll(self) -> AsyncGenerator[Event, None]:
        """Poll for a while, at least once."""
        period = 0.0
        if self._why.is_held_back:
            period = self._times.polling * min(10, 2**self._periods)
            self._periods += 1
        end = time.monotonic() + period
        while True:
            try:
                changed = await self._changed()
            except (ApiProblem, Unreachable) as error:
                self._report("connecting")
                self._why = self._interruption(error)
                return
            for event in changed:
                yield event
            self._report("polling")
            if time.monotonic() < end:
                await self._session.network.sleep(self._times.poll * (0.5 + random.random()))  # noqa: S311  (no secret)
            if time.monotonic() >= end or self._session.network.is_closed:
                self._why = _Interruption()
                return

    async def _changed(self) -> list[Event]:
        """What has changed since the position; a reset, once the list's end is known, where there is none."""
        position, events, has_more = self._position, list[Event](), True
        while has_more:
            page, has_more = await self._changes_since(position)
            before, position = position or page.sync_token, page.sync_token
            events += [Changed(task, before) for task in page.tasks]
            events += [Deleted(task_id, None, before) for task_id in page.deleted]
        if self._position is None and position is not None:
            events = [Reset(position)]  # the caller reads the list itself
        self._position = position
        return events

    def _interruption(self, error: ApiProblem | Unreachable) -> _Interruption:
        """Raises the error if it is no use to try again."""
        if isinstance(error, ApiProblem):
            if error.status == _GONE and self._position is not None:
                self._position = None
                return _Interruption()
            # Status 200: something on the way answered instead of the service.
            if error.status not in {200, 408, 429} and error.status < 500:  # noqa: PLR2004
                raise error
        self._failures += 1
        retry_after = error.retry_after if isinstance(error, ApiProblem) else None
        return _Interruption(self._backoff(), retry_after=retry_after or 0.0)

    def _backoff(self) -> float:
        """The longest delay after so many failures."""
        return min(self._times.max_backoff, self._retry * 2.0 ** max(0, self._failures - 1))

    async def _pause(self) -> None:
        """Full jitter, so that clients that were cut off together do not come back together."""
        if self._why.spread is not None and not self._session.network.is_closed:
            jitter = random.random() * self._why.spread  # noqa: S311  (no secret)
            await self._session.network.sleep(min(self._why.retry_after, _LONGEST_RETRY_AFTER) + jitter)

    def _report(self, status: Status) -> None:
        if status != self._status:
            self._status = status
            self._on_status(status)


def _decoded(event: ServerEvent) -> Event | None:
    """Raises ValueError if the event's data is not what the contract says."""
    match event.name:
        case "reset":
            return Reset(event.id)
        case "task.changed":
            return Changed(Task.from_json(json.loads(event.data)), event.id)
        case "task.deleted":
            data = json.loads(event.data)
            return Deleted(member(data, "id", str), member(data, "revision", int), event.id)
    return None
