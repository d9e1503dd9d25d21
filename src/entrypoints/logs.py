"""Log lines: readable on a terminal, JSON elsewhere, each with the request it belongs to."""

import logging
import sys
from typing import Any

import structlog

from adapters.http.edge import request_id_of_context


def _complete(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if (request_id := request_id_of_context.get()) is not None:
        event["request_id"] = request_id
    event.pop("color_message", None)  # uvicorn's, the message once more with escape codes
    return event


def configure_logging(log_format: str | None, log_level: str) -> None:
    """Send every logger's lines to standard error in one form.

    Messages are ours and constant, values stand beside them: nothing that a client wrote is ever part of a line's
    structure (CWE-117).
    """
    is_console = log_format == "console" or (log_format is None and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_console else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _complete,
                structlog.processors.format_exc_info,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    for chatty in ("httpx", "httpcore", "aiosqlite", "asyncio", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
