"""Lines of requests wait for each other, and none is lost or takes another's words."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from select import PIPE_BUF

from adapters.http.access_log import BATCH_SIZE, AccessLog, AccessLogLine, AccessLogRecord, logger
from adapters.http.context import Headers, RequestContext, current_request, current_request_id
from domain.audit import AuditContext
from entrypoints.logging_config import JsonLines

ROUTE = "/api/{user_id}/tasks"


class Lines(logging.Handler):
    """What was written, and whose request it was written in."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.levels: list[int] = []
        self.lines: list[AccessLogLine] = []
        self.contexts: list[str | None] = []
        self.written = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record, AccessLogRecord)
        self.sizes.append(len(record.lines))
        self.lines += record.lines
        self.levels.append(record.levelno)
        self.contexts.append(current_request_id())
        self.written.set()

    async def wait_for(self, count: int) -> None:
        """Until so many have been written."""
        while len(self.lines) < count:
            self.written.clear()
            await self.written.wait()

    @property
    def ids(self) -> list[str]:
        return [line.request_id for line in self.lines]


@contextmanager
def attached(level: int = logging.INFO) -> Iterator[Lines]:
    before, lines = logger.level, Lines()
    logger.addHandler(lines)
    logger.setLevel(level)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)


def note(log: AccessLog, request_id: str, *, level: int = logging.INFO) -> None:
    current_request.set(RequestContext(request_id, Headers.parse([]), "/", "/", b"", AuditContext(request_id)))
    log.note(level, "GET", ROUTE, 200, 0.0012, request_id)


async def test_they_are_written_together_in_their_order_a_moment_after_the_first() -> None:
    log = AccessLog()
    with attached() as lines:
        for request_id in ("a", "b", "c"):
            note(log, request_id)
        assert lines.lines == []
        await asyncio.wait_for(lines.written.wait(), 10)
        assert lines.ids == ["a", "b", "c"]
        lines.written.clear()
        note(log, "d")
        await asyncio.wait_for(lines.written.wait(), 10)
    assert lines.ids == ["a", "b", "c", "d"]
    assert {(one.method, one.route, one.status, one.ms) for one in lines.lines} == {("GET", ROUTE, 200, 1.2)}


async def test_they_are_written_outside_of_any_request() -> None:
    with attached() as lines:
        note(AccessLog(), "a")
        await asyncio.wait_for(lines.written.wait(), 10)
    assert lines.contexts == [None]


async def test_each_has_the_time_when_its_request_ended() -> None:
    ends = iter((1000.25, 1000.5))
    log = AccessLog(lambda: next(ends))
    with attached() as lines:
        note(log, "a")
        note(log, "b")
        log.write()
    assert [one.timestamp.timestamp() for one in lines.lines] == [1000.25, 1000.5]


async def test_a_dozen_are_one_record_and_are_written_at_once() -> None:
    log = AccessLog()
    with attached() as lines:
        for number in range(2 * BATCH_SIZE + 1):
            note(log, f"{number}")
        assert lines.sizes == [BATCH_SIZE, BATCH_SIZE]
        assert lines.contexts == [None, None]
        await asyncio.wait_for(lines.wait_for(2 * BATCH_SIZE + 1), 10)
    assert lines.ids == [f"{number}" for number in range(2 * BATCH_SIZE + 1)]


async def test_those_that_gather_after_a_dozen_are_written_in_time_too() -> None:
    log = AccessLog()
    with attached() as lines:
        for turn in range(1, 4):
            for number in range(BATCH_SIZE + 1):
                note(log, f"{number}")
            await asyncio.wait_for(lines.wait_for(turn * (BATCH_SIZE + 1)), 10)
    assert lines.sizes == [BATCH_SIZE, 1] * 3


async def test_a_pipe_takes_a_dozen_in_one_piece() -> None:
    log, longest = AccessLog(), "x" * 64
    with attached() as lines:
        for _ in range(BATCH_SIZE):
            log.note(logging.WARNING, "OPTIONS", f"{ROUTE}/{{task_id}}/complete", 200, 999_999.9999, longest)
    written = JsonLines().format(AccessLogRecord(logging.WARNING, lines.lines)) + "\n"
    assert len(lines.lines) == BATCH_SIZE
    assert len(written.encode()) <= PIPE_BUF


async def test_each_level_has_records_of_its_own() -> None:
    log = AccessLog()
    with attached(logging.DEBUG) as lines:
        for level in (logging.DEBUG, logging.INFO, logging.INFO, logging.DEBUG):
            note(log, "a", level=level)
        log.write()
    assert list(zip(lines.levels, lines.sizes, strict=True)) == [(10, 1), (20, 2), (10, 1)]
    assert [line.level for line in lines.lines] == ["debug", "info", "info", "debug"]


async def test_one_that_ends_with_a_second_is_written_like_all_others() -> None:
    log = AccessLog(lambda: 1_700_000_000.0)
    with attached() as lines:
        note(log, "a")
        log.write()
    written = JsonLines().format(AccessLogRecord(logging.INFO, lines.lines))
    assert '"timestamp":"2023-11-14T22:13:20.000001Z"' in written


async def test_nothing_waits_once_it_is_closed() -> None:
    log = AccessLog()
    with attached() as lines:
        note(log, "a")
        log.close()
        assert lines.ids == ["a"]
        note(log, "b")
        assert lines.ids == ["a", "b"]
        assert lines.contexts[-1] is None


async def test_lines_below_the_log_level_are_not_collected() -> None:
    log = AccessLog()
    with attached(logging.INFO) as lines:
        note(log, "a", level=logging.DEBUG)
        log.close()
    assert lines.lines == []
