"""Connections with unsent bytes are bounded in time, and all together in bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.http.server.write_deadline import MIN_PROGRESS, Backlog, WriteDeadline
from tests.support.protocol import MemoryTransport

PAGE = 100_000


class Stuck(MemoryTransport):
    """A transport whose client has not taken the last bytes."""

    unsent = PAGE

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Connections(list[Stuck]):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self._backlog = Backlog(limit)
        self.deadlines: list[WriteDeadline] = []

    def stick(self, *, timeout: float = 60) -> Stuck:
        """One more client does not read."""
        transport = Stuck()
        self.append(transport)
        self.deadlines.append(WriteDeadline(transport, asyncio.get_running_loop(), timeout, self._backlog))
        self.deadlines[-1].start()
        return transport

    @property
    def aborted(self) -> list[bool]:
        return [one.closed for one in self]


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    made = Connections(3 * PAGE)
    yield made
    for deadline in made.deadlines:
        deadline.cancel()


async def test_beyond_the_limit_the_client_that_has_stalled_longest_is_aborted(connections: Connections) -> None:
    for _ in range(5):
        connections.stick()
    assert connections.aborted == [True, True, False, False, False]


async def test_clients_that_read_are_not_aborted(connections: Connections) -> None:
    first = connections.stick()
    connections.stick()
    connections.stick()
    first.unsent -= MIN_PROGRESS
    connections.stick()
    assert connections.aborted == [False, True, False, False]


async def test_clients_that_have_read_everything_no_longer_count(connections: Connections) -> None:
    connections.stick()
    connections.deadlines[0].cancel()
    for _ in range(3):
        connections.stick()
    assert connections.aborted == [False] * 4


async def test_a_single_response_may_be_larger_than_the_limit() -> None:
    connections = Connections(PAGE // 2)
    assert not connections.stick().closed
    connections.deadlines[0].cancel()


class Clock:
    """An event loop's timers, which end when the test says so."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def call_later(self, _: float, callback: Callable[[], None]) -> "Clock":
        self.callbacks.append(callback)
        return self

    def cancel(self) -> None:
        """What would not end anyway."""


@pytest.mark.parametrize(("taken", "is_aborted"), [(MIN_PROGRESS - 1, True), (MIN_PROGRESS, False)])
def test_a_client_takes_a_little_in_each_period_or_is_aborted(taken: int, is_aborted: bool) -> None:
    clock: Any = Clock()
    transport = Stuck()
    WriteDeadline(transport, clock, 30, Backlog()).start()
    transport.unsent -= taken
    clock.callbacks[0]()
    assert transport.closed == is_aborted
    assert len(clock.callbacks) == (1 if is_aborted else 2)
