"""Log lines: readable on a terminal, JSON elsewhere, each with the request it belongs to."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec
import structlog

from adapters.http.access_log import AccessLogRecord
from adapters.http.context import current_request_id

_ENCODER: Final = msgspec.json.Encoder(enc_hook=repr)
_OF_EVERY_RECORD: Final = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}
)
"""What stands in a record beside what its caller has added; the last is uvicorn's, its message with escape codes."""


def _complete(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = _timestamp(event["_record"])
    if (request_id := current_request_id()) is not None:
        event["request_id"] = request_id
    event.pop("color_message", None)
    return event


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes each record's line in one call, which needs no lock; the library takes two, for half of a line's cost."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record's line."""
        self.emit(record)
        return True

    def flush(self) -> None:
        """See to it that what was written leaves the process."""
        self.stream.flush()


class JsonLines(logging.Formatter):
    """One JSON object a line. By hand: structlog's way costs as much as half a request."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's message, level, logger, what its caller has added, its time and its request.

        Of a record of several requests, a line each, the same as each would have by itself.
        """
        if isinstance(record, AccessLogRecord):
            return _ENCODER.encode_lines(record.lines).decode().removesuffix("\n")
        line: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        line.update((name, value) for name, value in record.__dict__.items() if name not in _OF_EVERY_RECORD)
        line["timestamp"] = _timestamp(record)
        if (request_id := current_request_id()) is not None:
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return _ENCODER.encode(line).decode()
        except UnicodeEncodeError:  # half a surrogate pair
            return json.dumps(line, default=repr)


def _timestamp(record: logging.LogRecord) -> str:
    return f"{datetime.fromtimestamp(record.created, UTC).isoformat(timespec='microseconds')[:26]}Z"


class ConsoleLines(structlog.stdlib.ProcessorFormatter):
    """Lines for people who watch a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line; of a record of several requests, each one's."""
        if isinstance(record, AccessLogRecord):
            return "\n".join(map(super().format, record.one_by_one()))
        return super().format(record)


def console_lines() -> logging.Formatter:
    """The formatter for a terminal."""
    return ConsoleLines(
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


def configure_logging(log_format: str | None, log_level: str) -> None:
    """Send every logger's lines to standard error in one form.

    Messages are ours and constant, values stand beside them: nothing that a client wrote is ever part of a line's
    structure (CWE-117).
    """
    is_console = log_format == "console" or (log_format is None and sys.stderr.isatty())
    handler = LineHandler(sys.stderr)
    handler.setFormatter(console_lines() if is_console else JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    # No line tells of threads, processes, or places in the code: finding them out costs more than the line itself.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001  (the documented way: logging, "Optimization")
    for chatty in ("httpx", "httpcore", "aiosqlite", "asyncio", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
