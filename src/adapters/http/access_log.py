"""The log lines of requests: noted when an answer has gone, and written a moment later, many together.

A line's way through the logging library, by itself, costs a sixth of a request: little of what it touches is still in
the processor's caches. So a dozen lines go that way as one record. No more of them wait: written in one go, they would
keep the next requests waiting.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

import msgspec
from attrs import define, field

logger = logging.getLogger(__name__)

FLUSH_INTERVAL: Final = 0.02
"""Seconds that a line waits at most for those with which it is written."""

BATCH_SIZE: Final = 12
"""Lines of one record: what a pipe takes in one piece, whoever else writes to it (PIPE_BUF: 4096 bytes on Linux)."""

_LEVELS: Final = {number: logging.getLevelName(number).lower() for number in logging.getLevelNamesMapping().values()}
_TICK: Final = timedelta(microseconds=1)


class AccessLogLine(msgspec.Struct):
    """What is told of one request, in the order in which it is told."""

    event: str
    level: str
    logger: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str
    timestamp: datetime


class AccessLogRecord(logging.LogRecord):
    """A record of several requests of one level; as a message, it is what a reader of plain text needs of them."""

    def __init__(self, level: int, lines: Sequence[AccessLogLine]) -> None:
        super().__init__(logger.name, level, "", 0, "requests", None, None)
        self.lines = lines

    def getMessage(self) -> str:  # noqa: N802  (the library's name)
        """A line for each request."""
        return "\n".join(
            f"{one.method} {one.route} {one.status} {one.ms} ms, request {one.request_id}" for one in self.lines
        )

    def one_by_one(self) -> Iterator[logging.LogRecord]:
        """A record like any other for each request."""
        for line in self.lines:
            values = msgspec.structs.asdict(line)
            ended = values.pop("timestamp")
            values |= {"msg": values.pop("event"), "name": values.pop("logger"), "status": int(line.status)}
            values |= {"levelname": values.pop("level").upper(), "levelno": self.levelno}
            values |= {"created": ended.timestamp(), "msecs": ended.microsecond / 1000}
            yield logging.makeLogRecord(values)


@define
class AccessLog:
    """Gathers what is to be told of requests, and tells it.

    What a process that is killed had gathered is lost with it. Lines of other loggers don't wait, so that they may
    stand before the lines of requests that ended earlier; the timestamps are those of the events.
    """

    _now: Callable[[], float] = time.time
    _noted: list[tuple[int, AccessLogLine]] = field(init=False, factory=list)
    _is_timed: bool = field(init=False, default=False)
    _is_closed: bool = field(init=False, default=False)

    def note(self, level: int, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """Have a line written that says how a request was answered, and how long that took."""
        if not logger.isEnabledFor(level):
            return
        if not self._is_timed and not self._is_closed:
            self._is_timed = True
            asyncio.get_running_loop().call_later(FLUSH_INTERVAL, self._write_in_time, context=Context())
        ms, ended = round(seconds * 1000, 1), datetime.fromtimestamp(self._now(), UTC)
        if not ended.microsecond:
            ended += _TICK  # else JSON would have no fraction, as no other line has
        line = AccessLogLine("request", _LEVELS[level], logger.name, method, route, status, ms, request_id, ended)
        self._noted.append((level, line))
        if self._is_closed or len(self._noted) == BATCH_SIZE:
            Context().run(self.write)

    def _write_in_time(self) -> None:
        self._is_timed = False
        self.write()

    def write(self) -> None:
        """Write what has been noted."""
        noted, self._noted = self._noted, []
        for level, group in groupby(noted, itemgetter(0)):
            logger.handle(AccessLogRecord(level, [line for _, line in group]))

    def close(self) -> None:
        """Write what has been noted, and whatever comes later at once."""
        self._is_closed = True
        self.write()
