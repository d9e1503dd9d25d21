"""Logging: text on a terminal, JSON elsewhere; each line has the ID of its request."""

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec

from adapters.http.access_log import AccessLogRecord
from adapters.http.context import current_request_id, current_trace_id

_ENCODER: Final = msgspec.json.Encoder(enc_hook=repr)
_STANDARD_ATTRIBUTES: Final = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}
)
"""Standard attributes of a record, as opposed to `extra`. `color_message` is uvicorn's message with escape codes."""


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes each record in one call, without locks: the standard handler takes two, half of the cost of a line."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record."""
        self.emit(record)
        return True

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


class JsonLines(logging.Formatter):
    """Formats records as one JSON object per line. structlog's processors would cost half as much as a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Format message, level, logger, `extra`, time and request ID.

        A record of several requests becomes one line per request, the same as if each had a record of its own.
        """
        if isinstance(record, AccessLogRecord):
            return _ENCODER.encode_lines(record.lines).decode().removesuffix("\n")
        line: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        line.update((name, value) for name, value in record.__dict__.items() if name not in _STANDARD_ATTRIBUTES)
        line["timestamp"] = _timestamp(record)
        if (request_id := current_request_id()) is not None:
            line["request_id"] = request_id
        if (trace_id := current_trace_id.get()) is not None:
            line["trace_id"] = trace_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return _ENCODER.encode(line).decode()
        except UnicodeEncodeError:  # a lone surrogate
            return json.dumps(line, default=repr)


def _timestamp(record: logging.LogRecord) -> str:
    return f"{datetime.fromtimestamp(record.created, UTC).isoformat(timespec='microseconds')[:26]}Z"


class ConsoleLines(logging.Formatter):
    """Formats records as text for a terminal."""

    def __init__(self) -> None:
        """Import structlog, which takes a tenth of a second: services that log JSON do without."""
        super().__init__()
        import structlog

        self._formatter = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                _complete,
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        """Format the record; a record of several requests becomes one line per request."""
        if isinstance(record, AccessLogRecord):
            return "\n".join(map(self._formatter.format, record.one_by_one()))
        return self._formatter.format(record)


def _complete(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["timestamp"] = _timestamp(event["_record"])
    if (request_id := current_request_id()) is not None:
        event["request_id"] = request_id
    if (trace_id := current_trace_id.get()) is not None:
        event["trace_id"] = trace_id
    event.pop("color_message", None)
    return event


def configure_logging(log_format: str | None, log_level: str) -> None:
    """Log all records to standard error in one format.

    Messages are constants and values are separate fields, so that client input cannot forge log lines (CWE-117).
    """
    is_console = log_format == "console" or (log_format is None and sys.stderr.isatty())
    handler = LineHandler(sys.stderr)
    handler.setFormatter(ConsoleLines() if is_console else JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    # Threads, processes and code locations are not logged: to determine them costs more than the line itself.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001  (documented: logging, "Optimization")
    for verbose in ("httpx", "httpcore", "aiosqlite", "asyncio", "alembic"):
        logging.getLogger(verbose).setLevel(logging.WARNING)
