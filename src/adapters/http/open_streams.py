"""The event streams that are open in this worker: how many there may be, and until when each may go on."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final, Self

from attrs import define, field

from application.ports import Clock
from domain.errors import StreamsExhausted, TooManyStreams
from domain.identity import Principal, UserId

STREAMS_PER_USER: Final = 10
MAX_STREAMS: Final = 10_000
STOPPING: Final = "stopping"
"""Why streams end when the service does."""
CHECK_INTERVAL: Final = 0.5
"""Seconds between two checks of whether the tokens of all streams are still valid."""
CHECKS_AT_ONCE: Final = 500
"""Users whose streams are checked before other work of the event loop gets its turn."""
RETRY_AFTER: Final = (5, 15)
"""Range of the seconds after which a refused client may try again: random, so that not all do at once."""


@define(eq=False)
class OpenStream:
    """A stream that the current task sends, inside this context manager."""

    principal: Principal
    _streams: "OpenStreams"
    _task: "asyncio.Task[Any]"
    reason: str | None = field(init=False, default=None)
    """Why it ends; `None` while it goes on."""

    def __enter__(self) -> Self:
        """Count it."""
        self._streams.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Count it no more."""
        self._streams.remove(self)

    def end(self, reason: str) -> None:
        """Interrupt the task, which then sends a last event."""
        if self.reason is None:
            self.reason = reason
            self._task.cancel()


@define(eq=False)
class OpenStreams:
    """Counts streams in and out, and ends those whose tokens are no longer valid while `run_checks` runs."""

    _why_ended: Callable[[Principal, float], str | None]
    """Why a token that was valid no longer is, at this time in seconds since 1970; `None` while it is."""
    _clock: Clock
    per_user: int = STREAMS_PER_USER
    max_streams: int = MAX_STREAMS
    check_interval: float = CHECK_INTERVAL
    _by_user: dict[UserId, set[OpenStream]] = field(init=False, factory=dict)
    _count: int = field(init=False, default=0)

    def __len__(self) -> int:
        """How many are open."""
        return self._count

    def open(self, principal: Principal) -> OpenStream:
        """A stream of the current task, as long as it is sent.

        Raises:
            TooManyStreams: the user has as many as one may have.
            StreamsExhausted: this worker has as many as it may.
        """
        user, retry_after = principal.user_id, random.randint(*RETRY_AFTER)  # noqa: S311  (spreads the clients)
        if len(self._by_user.get(user, ())) >= self.per_user:
            raise TooManyStreams(retry_after)
        if self._count >= self.max_streams:
            raise StreamsExhausted(retry_after)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can send a stream")
        return OpenStream(principal, self, task)

    def add(self, stream: OpenStream) -> None:
        """Count a stream in."""
        self._by_user.setdefault(stream.principal.user_id, set()).add(stream)
        self._count += 1

    def remove(self, stream: OpenStream) -> None:
        """Count it out."""
        user = stream.principal.user_id
        self._by_user[user].discard(stream)
        self._count -= 1
        if not self._by_user[user]:
            del self._by_user[user]

    async def run_checks(self) -> None:
        """Check all streams again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.check_interval)
            now = self._clock.now().timestamp()
            for number, of_user in enumerate([*self._by_user.values()], start=1):
                self._check(of_user, now)
                if number % CHECKS_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _check(self, streams: Iterable[OpenStream], now: float) -> None:
        principal, reason = None, None
        for stream in streams:
            if stream.principal is not principal:  # most often they have the same token
                principal = stream.principal
                reason = self._why_ended(principal, now)
            if reason is not None:
                stream.end(reason)
