"""The log line of a request."""

import logging
import time
from typing import Any, Final

_BLANK: Final[dict[str, Any]] = logging.makeLogRecord({"name": "adapters.http.edge", "msg": "request"}).__dict__
"""What stands in a record that no caller, thread or process is told in."""


def request_record(level: int, method: str, route: str, status: int, seconds: float) -> logging.LogRecord:
    """A record with what is told of a request beside its message.

    Not by LogRecord's own way, which looks for files, threads and processes: that costs more than the line itself.
    """
    record = logging.LogRecord.__new__(logging.LogRecord)
    now = time.time()
    record.__dict__.update(
        _BLANK,
        levelno=level,
        levelname=logging.getLevelName(level),
        created=now,
        msecs=now % 1 * 1000,
        method=method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
    )
    return record
