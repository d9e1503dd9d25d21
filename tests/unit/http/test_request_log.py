"""Lines of requests wait for each other, and none is lost or takes another's words."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.http.edge import request_id_of_context
from adapters.http.request_log import RequestLog, RequestRecord, logger

ROUTE = "/api/{user_id}/tasks"


class Lines(logging.Handler):
    """What was written, and whose request it was written in."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[RequestRecord] = []
        self.contexts: list[str | None] = []
        self.written = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record, RequestRecord)
        self.records.append(record)
        self.contexts.append(request_id_of_context.get())
        self.written.set()

    @property
    def ids(self) -> list[str]:
        return [record.request_id for record in self.records]


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


def note(log: RequestLog, request_id: str, *, level: int = logging.INFO) -> None:
    request_id_of_context.set(request_id)
    log.note(level, "GET", ROUTE, 200, 0.0012, request_id)


async def test_they_are_written_together_in_their_order_a_moment_after_the_first() -> None:
    log = RequestLog()
    with attached() as lines:
        for request_id in ("a", "b", "c"):
            note(log, request_id)
        assert lines.records == []
        await asyncio.wait_for(lines.written.wait(), 10)
        assert lines.ids == ["a", "b", "c"]
        lines.written.clear()
        note(log, "d")
        await asyncio.wait_for(lines.written.wait(), 10)
    assert lines.ids == ["a", "b", "c", "d"]
    assert {(one.method, one.route, one.status, one.ms) for one in lines.records} == {("GET", ROUTE, 200, 1.2)}


async def test_they_are_written_in_nobodys_name() -> None:
    with attached() as lines:
        note(RequestLog(), "a")
        await asyncio.wait_for(lines.written.wait(), 10)
    assert lines.contexts == [None]


async def test_each_tells_when_its_request_ended() -> None:
    ends = iter((1000.25, 1000.5))
    log = RequestLog(lambda: next(ends))
    with attached() as lines:
        note(log, "a")
        note(log, "b")
        log.write()
    assert [(one.created, one.msecs) for one in lines.records] == [(1000.25, 250.0), (1000.5, 500.0)]


async def test_nothing_waits_once_it_is_closed() -> None:
    log = RequestLog()
    with attached() as lines:
        note(log, "a")
        log.close()
        assert lines.ids == ["a"]
        note(log, "b")
        assert lines.ids == ["a", "b"]


async def test_what_nobody_wants_to_read_is_not_noted() -> None:
    log = RequestLog()
    with attached(logging.INFO) as lines:
        note(log, "a", level=logging.DEBUG)
        log.close()
    assert lines.records == []
