"""The watchdog ends a process whose event loop is blocked, and no other."""

import asyncio
import logging
import threading
import time

import pytest

from entrypoints.server import LoopWatchdog


class Watchdog(LoopWatchdog):
    """An impatient one, which only tells that it would end the process."""

    interval = 0.02
    max_missed = 30

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.has_ended = threading.Event()

    def end_process(self) -> None:
        self.has_ended.set()


async def test_a_blocked_loop_ends_the_process_and_the_log_says_where_it_is(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog()
    watchdog.start()
    with caplog.at_level(logging.CRITICAL):
        assert watchdog.has_ended.wait(60)  # which blocks the loop
        watchdog.join()
    [record] = caplog.records
    assert any("test_a_blocked_loop_ends_the_process" in place for place in record.__dict__["stack"])


async def test_a_busy_loop_does_not() -> None:
    watchdog = Watchdog()
    watchdog.start()
    for _ in range(30):
        time.sleep(2 * watchdog.interval)  # noqa: ASYNC251  (work that keeps the loop busy)
        await asyncio.sleep(0)
    watchdog.stop()
    watchdog.join()
    assert not watchdog.has_ended.is_set()


def test_it_ends_with_its_loop() -> None:
    async def start() -> Watchdog:
        watchdog = Watchdog()
        watchdog.start()
        return watchdog

    watchdog = asyncio.run(start())
    watchdog.join(60)
    assert not watchdog.is_alive()
    assert not watchdog.has_ended.is_set()
