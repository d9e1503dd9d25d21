"""The access log: a line for each request, written in batches.

One line at a time through the logging library costs a sixth of a request, because its working set has been evicted from
the CPU caches. So up to twelve lines are written as one record; larger batches would delay the requests behind them.
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

from adapters.http.context import current_trace_id

logger = logging.getLogger(__name__)

FLUSH_INTERVAL: Final = 0.02
"""Seconds that a line waits at most before it is written."""

BATCH_SIZE: Final = 12
"""Lines of one record: as many as a pipe takes atomically (PIPE_BUF: 4096 bytes on Linux)."""

_LEVELS: Final = {number: logging.getLevelName(number).lower() for number in logging.getLevelNamesMapping().values()}
_TICK: Final = timedelta(microseconds=1)


class AccessLogLine(msgspec.Struct):
    """One request, its fields in the order of the line."""

    event: str
    level: str
    logger: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str
    timestamp: datetime
    trace_id: str | msgspec.UnsetType = msgspec.UNSET


class AccessLogRecord(logging.LogRecord):
    """A log record of several requests of one level; its message has a line of plain text for each."""

    def __init__(self, level: int, lines: Sequence[AccessLogLine]) -> None:
        super().__init__(logger.name, level, "", 0, "requests", None, None)
        self.lines = lines

    def getMessage(self) -> str:  # noqa: N802  (the library's name)
        """A line for each request."""
        return "\n".join(
            f"{one.method} {one.route} {one.status} {one.ms} ms, request {one.request_id}" for one in self.lines
        )

    def one_by_one(self) -> Iterator[logging.LogRecord]:
        """An ordinary log record for each request."""
        for line in self.lines:
            values = {name: value for name, value in msgspec.structs.asdict(line).items() if value is not msgspec.UNSET}
            ended = values.pop("timestamp")
            values |= {"msg": values.pop("event"), "name": values.pop("logger"), "status": int(line.status)}
            values |= {"levelname": values.pop("level").upper(), "levelno": self.levelno}
            values |= {"created": ended.timestamp(), "msecs": ended.microsecond / 1000}
            yield logging.makeLogRecord(values)


@define
class AccessLog:
    """Collects access-log lines and writes them.

    At most eleven lines are lost with a killed process. Lines of other loggers do not wait, and so may precede those of
    requests that ended earlier; timestamps are those of the events.
    """

    _now: Callable[[], float] = time.time
    _pending: list[tuple[int, AccessLogLine]] = field(init=False, factory=list)
    _is_scheduled: bool = field(init=False, default=False)
    _is_closed: bool = field(init=False, default=False)

    def note(self, level: int, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """Log a request: its response's status, and how long it took."""
        if not logger.isEnabledFor(level):
            return
        if not self._is_scheduled and not self._is_closed:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(FLUSH_INTERVAL, self._flush, context=Context())
        ms, ended = round(seconds * 1000, 1), datetime.fromtimestamp(self._now(), UTC)
        if not ended.microsecond:
            ended += _TICK  # so that every timestamp has a fraction in JSON
        line = AccessLogLine("request", _LEVELS[level], logger.name, method, route, status, ms, request_id, ended)
        if (trace_id := current_trace_id.get()) is not None:
            line.trace_id = trace_id
        self._pending.append((level, line))
        if self._is_closed or len(self._pending) == BATCH_SIZE:
            Context().run(self.write)

    def _flush(self) -> None:
        self._is_scheduled = False
        self.write()

    def write(self) -> None:
        """Write the collected lines."""
        pending, self._pending = self._pending, []
        for level, group in groupby(pending, itemgetter(0)):
            logger.handle(AccessLogRecord(level, [line for _, line in group]))

    def close(self) -> None:
        """Write the collected lines, and from now on each line at once."""
        self._is_closed = True
        self.write()
