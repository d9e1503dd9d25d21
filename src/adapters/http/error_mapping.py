"""From an error to the problem that describes it, and its headers; refusals that HTTP itself names are by status."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from attrs import evolve
from authlib.oauth2.rfc6750 import InvalidTokenError
from litestar.exceptions import HTTPException
from msgspec import UNSET, UnsetType

from adapters.http.context import RequestContext
from adapters.http.problem_types import PROBLEM_TYPES, ProblemType
from adapters.http.problems import (
    FieldProblem,
    InvalidBody,
    InvalidParameter,
    NoCredentials,
    NotReady,
    Problem,
    RequestError,
    Stopping,
)
from domain.errors import (
    InsufficientScope,
    InvalidField,
    InvalidToken,
    TooManyRequests,
    TooManySearches,
    TooManyStreams,
    Unavailable,
)


def _status(status: HTTPStatus, detail: str = "", when: str = "", example: str = "") -> ProblemType:
    return ProblemType(status, "", status.phrase, detail or f"{status.phrase}.", when, example)


STATUS_PROBLEMS: Final[dict[int, ProblemType]] = {
    problem.status: problem
    for problem in (
        _status(
            HTTPStatus.BAD_REQUEST,
            "The request is malformed.",
            "The body is not JSON, or a header is malformed.",
            "The body is not JSON.",
        ),
        _status(HTTPStatus.NOT_FOUND, "There is nothing at this path. The tasks are at /api/{user_id}/tasks."),
        _status(HTTPStatus.METHOD_NOT_ALLOWED, "This path does not take this method: see the Allow header."),
        _status(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "The body is too large: 64 KiB at most.",
            "The body is larger than 64 KiB.",
        ),
        _status(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            "The URL is too long: 8 KiB at most.",
            "The path and the query are longer than 8 KiB.",
        ),
        _status(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            when="The body's Content-Type is not JSON, or the body is encoded.",
            example="Send the body as application/json, in UTF-8, and say so in Content-Type.",
        ),
        _status(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The header fields are too large: 32 KiB at most.",
            "The header fields are larger than 32 KiB.",
        ),
        _status(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Something went wrong in the service. Its operator finds the cause by the request id.",
        ),
    )
}
"""Refusals that HTTP itself names, by status; their type is `about:blank`."""

DOCUMENTED: Final[dict[HTTPStatus, ProblemType]] = {
    problem.status: problem
    for problem in sorted([*PROBLEM_TYPES.values(), *STATUS_PROBLEMS.values()], key=lambda one: one.status)
    if problem.when
}
"""The problem that stands for each status in the OpenAPI document."""


def problem_of(error: Exception, context: RequestContext) -> tuple[Problem, Mapping[str, str]]:
    """The problem for an error (RFC 9457 §3), and its own headers."""
    kind = _type_of(error)
    problem = Problem(
        type=kind.uri,
        title=kind.title,
        status=kind.status,
        detail=_detail(error) or kind.detail,
        instance=context.root_path + context.raw_path,
        request_id=context.request_id,
        errors=_field_problems(error),
    )
    return problem, _headers(error)


def _type_of(error: Exception) -> ProblemType:
    if (known := PROBLEM_TYPES.get(type(error))) is not None:
        return known
    match error:
        case RequestError():
            status, detail = HTTPStatus(error.status), error.detail
        case HTTPException():  # the router's own
            status, detail = HTTPStatus(error.status_code), ""
        case _:
            status, detail = HTTPStatus.INTERNAL_SERVER_ERROR, ""
    kind = STATUS_PROBLEMS.get(status) or ProblemType(status, "", status.phrase, f"{status.phrase}.")
    return evolve(kind, detail=detail) if detail else kind


def _detail(error: Exception) -> str:
    """What only this error knows; empty if that is nothing."""
    detail = ""
    match error:
        case InvalidToken():
            detail = error.reason
        case InvalidField():
            detail = f"{error.field}: {error.rule}."
        case InvalidParameter():
            detail = f"{error.parameter}: {error.rule}."
        case InvalidBody():
            detail = f"{error.pointer.lstrip('/') or 'The body'}: {error.rule}."
        case TooManyRequests():
            seconds = error.status.reset_seconds
            detail = f"You have sent too many requests. Try again in {seconds} second{'' if seconds == 1 else 's'}."
        case NotReady():
            detail = "; ".join(f"{name}: {problem}" for name, problem in error.missing.items()) + "."
    return detail


def _field_problems(error: Exception) -> list[FieldProblem] | UnsetType:
    match error:
        case InvalidBody():
            return [FieldProblem(error.rule, pointer=error.pointer)]
        case InvalidField():
            return [FieldProblem(error.rule, pointer=f"/{error.field}")]
        case InvalidParameter():
            return [FieldProblem(error.rule, parameter=error.parameter)]
    return UNSET


def _headers(error: Exception) -> Mapping[str, str]:
    headers: Mapping[str, str] = {}
    match error:
        case NoCredentials():
            headers = {"WWW-Authenticate": "Bearer"}
        case InvalidToken():
            headers = {"WWW-Authenticate": _challenge(error.reason)}
        case InsufficientScope():
            headers = {"WWW-Authenticate": _scope_challenge(error.scope)}
        case NotReady() | Stopping():
            headers = {"Retry-After": "1"}
        case TooManyRequests():
            headers = {"Retry-After": str(error.status.reset_seconds)}
        case Unavailable() | TooManySearches() | TooManyStreams():
            headers = {"Retry-After": str(error.retry_after)}
        case RequestError():
            headers = error.headers
        case HTTPException():
            headers = dict(error.headers or {})
    return headers


def _scope_challenge(scope: str | None) -> str:
    """RFC 6750 §3.1, which names the scope that is needed, where there is one."""
    error = f'Bearer error="insufficient_scope", error_description="{PROBLEM_TYPES[InsufficientScope].title}"'
    return error if scope is None else f'{error}, scope="{scope}"'


@lru_cache
def _challenge(reason: str) -> str:
    """RFC 6750 §3.1. Cached: there are few reasons, and a flood of bad tokens asks for little else."""
    headers = dict(InvalidTokenError(reason).get_headers())
    return str(headers["WWW-Authenticate"])
