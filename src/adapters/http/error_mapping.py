"""From an error to the problem that tells of it."""

from functools import lru_cache
from http import HTTPStatus
from typing import Final

from authlib.oauth2.rfc6750 import InvalidTokenError
from litestar.exceptions import HTTPException
from litestar.types import Scope
from msgspec import UNSET, UnsetType

from adapters.http.problems import (
    PROBLEM_TYPES,
    FieldProblem,
    InvalidBody,
    InvalidParameter,
    NoCredentials,
    NotReady,
    Problem,
    ProblemType,
    Stopping,
)
from adapters.http.rate_limits import rate_limit_fields
from domain.errors import InvalidField, InvalidToken, TooManyRequests, Unavailable

# What Litestar refuses without a word of ours, by status.
_DETAILS: Final[dict[int, str]] = {
    400: "The request is malformed.",
    404: "There is nothing at this path. The tasks are at /api/{user_id}/tasks.",
    405: "This method does nothing here: see the Allow header.",
    413: "The body is too large: 64 KiB at most.",
    500: "Something went wrong on our side. The request id helps us find out what.",
}


def problem_of(error: Exception, scope: Scope) -> tuple[Problem, dict[str, str]]:
    """The problem that tells of an error, and the headers that go with it."""
    kind = _problem_type(error)
    problem = Problem(
        type=f"urn:problem-type:evo-todo:{kind.name}" if kind.name else "about:blank",
        title=kind.title,
        status=kind.status,
        detail=_detail(error) or kind.detail,
        instance=scope["raw_path"].decode("latin-1"),
        request_id=scope["state"]["origin"].request_id,
        errors=_field_problems(error),
    )
    return problem, _headers(error)


def _problem_type(error: Exception) -> ProblemType:
    if (kind := PROBLEM_TYPES.get(type(error))) is not None:
        return kind
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = _DETAILS.get(status, status.phrase)
    if isinstance(error, HTTPException) and status < HTTPStatus.INTERNAL_SERVER_ERROR and error.detail != status.phrase:
        detail = error.detail
    return ProblemType(status, "", status.phrase, detail)


def _detail(error: Exception) -> str:
    match error:
        case InvalidToken():
            return error.reason
        case InvalidField():
            return f"{error.field}: {error.rule}."
        case InvalidParameter():
            return f"{error.parameter}: {error.rule}."
        case InvalidBody():
            return f"{error.pointer.lstrip('/') or 'The body'}: {error.rule}."
        case NotReady():
            return "; ".join(f"{name}: {problem}" for name, problem in error.missing.items()) + "."
    return ""


def _field_problems(error: Exception) -> list[FieldProblem] | UnsetType:
    match error:
        case InvalidBody():
            return [FieldProblem(error.rule, pointer=error.pointer)]
        case InvalidField():
            return [FieldProblem(error.rule, pointer=f"/{error.field}")]
        case InvalidParameter():
            return [FieldProblem(error.rule, parameter=error.parameter)]
    return UNSET


def _headers(error: Exception) -> dict[str, str]:
    headers: dict[str, str] = {}
    match error:
        case NoCredentials():
            headers = {"WWW-Authenticate": "Bearer"}
        case InvalidToken():
            headers = {"WWW-Authenticate": _challenge(error.reason)}
        case NotReady() | Stopping():
            headers = {"Retry-After": "1"}
        case TooManyRequests():
            headers = {"Retry-After": str(error.status.reset_seconds), **rate_limit_fields(error.status)}
        case Unavailable():
            headers = {"Retry-After": str(error.retry_after)}
        case HTTPException():
            headers = dict(error.headers or {})
    return headers


@lru_cache
def _challenge(reason: str) -> str:
    """RFC 6750 §3.1; remembered, for the reasons are few and a flood of bad tokens asks for little else."""
    headers = dict(InvalidTokenError(reason).get_headers())
    return str(headers["WWW-Authenticate"])
