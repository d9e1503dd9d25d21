"""Follows a list by its event stream, and by delta sync where something on the way holds the stream back."""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from evo_todo_client.calls import GONE, changes_page, list_path, send
from evo_todo_client.event_stream import EventStreamParser, ServerEvent
from evo_todo_client.interruptions import Interruption, WatchTimes, is_about_token, is_transient
from evo_todo_client.models import Changed, Deleted, Event, Reset, Status, Task
from evo_todo_client.problems import ApiProblem, Unauthorized, Unreachable, unexpected_response
from evo_todo_client.steps import Call, Emit, Read, Sleep, Steps
from evo_todo_client.tokens import Tokens

_FAILURES_BEFORE_POLLING: Final = 2


class Watch:
    """One watch. `steps` emits events for ever, or raises what is no use to try again."""

    def __init__(
        self, tokens: Tokens, user_id: str, since: str | None, on_status: Callable[[Status], object], times: WatchTimes
    ) -> None:
        self._tokens, self._path, self._position = tokens, list_path(user_id), since
        self._on_status, self._times, self._retry = on_status, times, times.retry
        self._status: Status | None = None
        self._failures = self._periods = 0  # attempts since a stream was proven, and periods of polling since

    def steps(self) -> Steps[None]:
        """Raises as the other calls do."""
        while True:
            why = yield from self._stream()
            yield from self._pause(why)
            if why.is_held_back or self._failures >= _FAILURES_BEFORE_POLLING:
                yield from self._pause((yield from self._poll(why)))

    def _stream(self) -> Steps[Interruption]:
        """Follow one stream to its end."""
        if self._status != "polling":
            self._report("connecting")
        headers = {"Accept": "text/event-stream"}
        if self._position is not None:
            headers["Last-Event-ID"] = self._position
        call = Call("GET", f"{self._path}/events", headers=headers)
        try:
            response, token = yield from send(self._tokens, call, stream=self._times.silence)
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise unexpected_response()
        except (ApiProblem, Unreachable) as error:
            return self._interruption(error)
        return (yield from self._follow(token))

    def _follow(self, token: str) -> Steps[Interruption]:
        parser = EventStreamParser()
        ready_at: float | None = None
        is_proven = is_silent = False
        reason: str | None = None
        while reason is None:
            try:
                chunk: bytes | None = yield Read()
                events = None if chunk is None else [(one, _decoded(one)) for one in parser.parse(chunk)]
            except TimeoutError:
                is_silent, events = True, None
            except (ValueError, KeyError, TypeError):
                events = None  # not what the contract says
            if events is None:
                break
            is_proven = is_proven or (ready_at is not None and time.monotonic() - ready_at >= self._times.proof)
            for event, decoded in events:
                if event.name == "ready":
                    ready_at = time.monotonic()
                elif event.name == "end":
                    reason = event.data
                    break
                yield from self._process(event, decoded)
        self._retry = self._retry if parser.retry is None else parser.retry
        if is_proven:
            self._failures = self._periods = 0
        return (yield from self._after_end(token, reason, is_proven=is_proven, is_silent=is_silent))

    def _after_end(self, token: str, reason: str | None, *, is_proven: bool, is_silent: bool) -> Steps[Interruption]:
        is_token = is_about_token(reason)
        if is_token:
            with suppress(Unauthorized, Unreachable):  # opening the next stream fails likewise, and is handled there
                yield from self._tokens.get(token)
            if is_proven:
                return Interruption()
        if not is_proven:
            self._failures += 1
            if is_silent:
                return Interruption(is_held_back=True)
        backoff = self._times.backoff(self._retry, self._failures)
        return Interruption(backoff if reason is None or is_token else max(self._times.restart, backoff))

    def _process(self, event: ServerEvent, decoded: Event | None) -> Steps[None]:
        if event.name == "ready":
            if self._position is None:
                yield from self._emit(Reset(event.id))
            self._report("live")
        elif decoded is not None:
            yield from self._emit(decoded)
        if event.id:
            self._position = event.id

    def _emit(self, event: Event) -> Steps[None]:
        yield Emit(event)
        self._position = event.sync_token

    def _poll(self, why: Interruption) -> Steps[Interruption]:
        """Poll for a while, at least once. What to do then."""
        period = 0.0
        if why.is_held_back:
            period = self._times.polling * min(10, 2**self._periods)
            self._periods += 1
        end = time.monotonic() + period
        while True:
            try:
                yield from self._catch_up()
            except (ApiProblem, Unreachable) as error:
                self._report("connecting")
                return self._interruption(error)
            self._report("polling")
            if time.monotonic() >= end:
                return Interruption()
            yield Sleep(self._times.poll * (0.5 + random.random()))  # noqa: S311  (no secret)

    def _catch_up(self) -> Steps[None]:
        """Emit what has changed since the position; a reset, once the list's end is known, where there is none."""
        position, is_reset, has_more = self._position, self._position is None, True
        while has_more:
            page, has_more = yield from changes_page(self._tokens, self._path, position)
            before, position = position, page.sync_token
            if is_reset:
                continue  # the caller reads the list itself
            found: list[Event] = [Changed(task, before or position) for task in page.tasks]
            found += [Deleted(task_id, None, before or position) for task_id in page.deleted]
            for event in found:
                yield from self._emit(event)
            self._position = position
        if is_reset and position is not None:
            yield from self._emit(Reset(position))

    def _interruption(self, error: ApiProblem | Unreachable) -> Interruption:
        """Raises the error if it is no use to try again."""
        if isinstance(error, ApiProblem) and error.status == GONE and self._position is not None:
            self._position = None
            return Interruption()
        if not is_transient(error):
            raise error
        self._failures += 1
        retry_after = error.retry_after if isinstance(error, ApiProblem) else None
        return Interruption(self._times.backoff(self._retry, self._failures), retry_after=retry_after or 0.0)

    def _pause(self, why: Interruption) -> Steps[None]:
        delay = why.delay()
        if delay is not None:
            yield Sleep(delay)

    def _report(self, status: Status) -> None:
        if status != self._status:
            self._status = status
            self._on_status(status)


def _decoded(event: ServerEvent) -> Event | None:
    """Raises ValueError, KeyError or TypeError if the event's data is not what the contract says."""
    match event.name:
        case "reset":
            return Reset(event.id)
        case "task.changed":
            return Changed(Task.from_json(json.loads(event.data)), event.id)
        case "task.deleted":
            data = json.loads(event.data)
            return Deleted(data["id"], data["revision"], event.id)
    return None
