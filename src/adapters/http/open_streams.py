"""The event streams that are open in this worker: how many there may be, and until when each may go on."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field

from domain.errors import StreamsExhausted, TooManyStreams
from domain.identity import Principal, UserId

STREAMS_PER_USER: Final = 10
MAX_STREAMS: Final = 10_000
STOPPING: Final = "stopping"
"""Why streams end when the service does."""
CHECK_INTERVAL: Final = 0.5
"""Seconds between two checks of whether the tokens of all streams are still valid."""
CHECKS_AT_ONCE: Final = 500
"""Streams that are checked before other work of the event loop gets its turn."""
RETRY_AFTER: Final = (5, 15)
"""Range of the seconds after which a refused client may try again: random, so that not all do at once."""


@define(eq=False)
class OpenStream:
    """A stream that the current task sends."""

    principal: Principal
    _task: "asyncio.Task[Any]"
    reason: str | None = field(init=False, default=None)
    """Why it ends; `None` while it goes on."""

    def end(self, reason: str) -> None:
        """Interrupt the task, which then sends a last event."""
        if self.reason is None:
            self.reason = reason
            self._task.cancel()

    def end_after(self, leaving: "asyncio.Task[None]") -> None:
        """End it once a task has: its client has left, or the service stops, which ASGI does not tell apart."""
        if not leaving.cancelled():
            self.end(STOPPING)


@define(eq=False)
class OpenStreams:
    """Counts streams in and out, and ends those whose tokens are no longer valid while `run_checks` runs."""

    _why_ended: Callable[[Principal], str | None]
    """Why a token that was valid no longer is; `None` while it is."""
    per_user: int = STREAMS_PER_USER
    max_streams: int = MAX_STREAMS
    check_interval: float = CHECK_INTERVAL
    _streams: set[OpenStream] = field(init=False, factory=set)
    _by_user: "Counter[UserId]" = field(init=False, factory=Counter)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._streams)

    @contextmanager
    def open(self, principal: Principal) -> Generator[OpenStream]:
        """A stream of the current task, as long as it is sent.

        Raises:
            TooManyStreams: the user has as many as one may have.
            StreamsExhausted: this worker has as many as it may.
        """
        user, retry_after = principal.user_id, random.randint(*RETRY_AFTER)  # noqa: S311  (spreads the clients)
        if self._by_user[user] >= self.per_user:
            raise TooManyStreams(retry_after)
        if len(self._streams) >= self.max_streams:
            raise StreamsExhausted(retry_after)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can send a stream")
        stream = OpenStream(principal, task)
        self._streams.add(stream)
        self._by_user[user] += 1
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            self._by_user[user] -= 1
            if not self._by_user[user]:
                del self._by_user[user]

    async def run_checks(self) -> None:
        """Check all streams again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.check_interval)
            for number, stream in enumerate([*self._streams], start=1):
                if (reason := self._why_ended(stream.principal)) is not None:
                    stream.end(reason)
                if number % CHECKS_AT_ONCE == 0:
                    await asyncio.sleep(0)
