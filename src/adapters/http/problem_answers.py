"""How a problem is sent: through Litestar, or by what stands before it."""

import logging
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.types import Scope

from adapters.http.error_mapping import problem_of
from adapters.http.problems import MEDIA_TYPE, Problem

logger = logging.getLogger(__name__)

_OURS = str(Path(__file__).parents[2])


def log_unexpected(error: Exception) -> None:
    """Tell of an error that nobody foresaw, without its message: that may quote what a person wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for place, frame in enumerate(frames, start=1)
        if frame.filename.startswith(_OURS) or place == len(frames)
    ]
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__
    sqlstate = getattr(getattr(error, "orig", None), "sqlstate", None)
    logger.error("unexpected error", extra={"error": kinds, "sqlstate": sqlstate, "where": where})


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's exception handler, for every exception."""
    problem, headers = problem_of(error, request.scope)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log_unexpected(error)
    return Response(problem, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def problem_message(error: Exception, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a problem, for what answers outside Litestar."""
    problem, headers = problem_of(error, scope)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log_unexpected(error)
    body = msgspec.json.encode(problem)
    pairs = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **headers}
    return problem.status, [(name.lower().encode(), value.encode()) for name, value in pairs.items()], body
