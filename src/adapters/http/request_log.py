"""The log lines of requests: noted when an answer has gone, and written a moment later, many together.

A line's way through the logging library, by itself, costs a sixth of a request: little of what it touches is still in
the processor's caches. The second line in a row costs a fifth of the first.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from attrs import define, field

logger = logging.getLogger(__name__)

GATHERING: Final = 0.02
"""Seconds from the first line that waits until it is written, with those that have come since."""

_BLANK: Final[dict[str, Any]] = logging.makeLogRecord({"name": logger.name, "msg": "request"}).__dict__
"""What stands in a record that no caller, thread or process is told in."""


class RequestRecord(logging.LogRecord):
    """A record that tells of a request beside its message."""

    method: str
    route: str
    status: int
    ms: float
    request_id: str

    def __init__(
        self, level: int, method: str, route: str, status: int, seconds: float, request_id: str, created: float
    ) -> None:
        # LogRecord's own way looks for files, threads and processes: that costs more than the line itself.
        self.__dict__ = _BLANK | {
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "created": created,
            "msecs": created % 1 * 1000,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "request_id": request_id,
        }


@define
class RequestLog:
    """Gathers what is to be told of requests, and tells it.

    What a process that is killed had gathered is lost with it. Lines of other loggers don't wait, so that they may
    stand before the lines of requests that ended earlier; the timestamps are those of the events.
    """

    _now: Callable[[], float] = time.time
    _noted: list[tuple[Any, ...]] = field(init=False, factory=list)
    _is_closed: bool = field(init=False, default=False)

    def note(self, level: int, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """Have a line written that says how a request was answered, and how long that took."""
        if not logger.isEnabledFor(level):
            return
        if not self._noted and not self._is_closed:
            asyncio.get_running_loop().call_later(GATHERING, self.write, context=Context())
        self._noted.append((level, method, route, status, seconds, request_id, self._now()))
        if self._is_closed:
            self.write()

    def write(self) -> None:
        """Write what has been noted."""
        noted, self._noted = self._noted, []
        for values in noted:
            logger.handle(RequestRecord(*values))

    def close(self) -> None:
        """Write what has been noted, and whatever comes later at once."""
        self._is_closed = True
        self.write()
