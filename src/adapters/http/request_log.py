"""The log line of a request."""

import logging
import time
from typing import Any, Final

_BLANK: Final[dict[str, Any]] = logging.makeLogRecord({"name": "adapters.http.edge", "msg": "request"}).__dict__
"""What stands in a record that no caller, thread or process is told in."""


class RequestRecord(logging.LogRecord):
    """A record that tells of a request beside its message."""

    method: str
    route: str
    status: int
    ms: float

    def __init__(self, level: int, method: str, route: str, status: int, seconds: float) -> None:
        # LogRecord's own way looks for files, threads and processes: that costs more than the line itself.
        now = time.time()
        self.__dict__ = {
            **_BLANK,
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "created": now,
            "msecs": now % 1 * 1000,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
