"""Errors on the wire: problem details (RFC 9457), from one table."""

from http import HTTPStatus
from typing import Annotated, Final

from attrs import define, frozen
from authlib.oauth2.rfc6750 import InvalidTokenError
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Scope
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import (
    AccessDenied,
    InvalidField,
    InvalidToken,
    KeysUnavailable,
    RevisionMismatch,
    RevocationsUnavailable,
    StorageUnavailable,
    TaskNotFound,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(Struct, frozen=True, omit_defaults=True):
    """What is wrong with one member of the body, or one parameter."""

    detail: str
    pointer: Annotated[str, Meta(description="Where in the body (RFC 6901).", examples=["/title"])] | UnsetType = UNSET
    parameter: Annotated[str, Meta(description="Which query parameter.", examples=["limit"])] | UnsetType = UNSET


class Problem(Struct, frozen=True, kw_only=True):
    """A problem (RFC 9457)."""

    type: Annotated[str, Meta(description="Names the kind of problem.", examples=["about:blank"])] = "about:blank"
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What happened and what to do, for a person to read.")]
    instance: Annotated[str, Meta(description="The path that was asked for.")]
    request_id: Annotated[str, Meta(description="Names this request in the logs; also in `X-Request-Id`.")]
    errors: list[FieldProblem] | UnsetType = UNSET


@define
class InvalidBody(Exception):
    """JSON, but not of the shape that is taken here."""

    pointer: str
    rule: str


@define
class NotReady(Exception):
    """Something the service depends on is missing."""

    missing: dict[str, str]


@define
class InvalidParameter(Exception):
    """A query parameter is unknown or breaks a rule."""

    parameter: str
    rule: str


class Stopping(Exception):
    """The process is told to stop, and the request did not finish in the time that was left."""


@define
class NoCredentials(Exception):
    """The request brings no bearer token."""


@frozen
class Kind:
    """What a class of errors is on the wire; where the detail is empty, the error itself has the words."""

    status: HTTPStatus
    name: str
    title: str
    detail: str = ""


KINDS: Final[dict[type[Exception], Kind]] = {
    InvalidToken: Kind(HTTPStatus.UNAUTHORIZED, "invalid-token", "The token is not valid"),
    AccessDenied: Kind(
        HTTPStatus.FORBIDDEN,
        "access-denied",
        "Access denied",
        "The path names another user than the token: use the token's own subject.",
    ),
    TaskNotFound: Kind(HTTPStatus.NOT_FOUND, "task-not-found", "Task not found", "There is no such task in this list."),
    RevisionMismatch: Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "revision-mismatch",
        "Changed elsewhere",
        "The task has changed since you read it: get it again and decide anew.",
    ),
    InvalidField: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-field", "A field breaks a rule"),
    KeysUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "keys-unavailable",
        "The issuer's keys are not available",
        "The token can't be judged now. Keep it, and try again later.",
    ),
    RevocationsUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "revocations-unavailable",
        "What was revoked is not known",
        "Whether the token was revoked can't be told now. Keep it, and try again later.",
    ),
    StorageUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "storage-unavailable",
        "The tasks are not available",
        "The tasks can't be reached now. Try again later; nothing was changed unless you read so.",
    ),
    InvalidBody: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-field", "A field breaks a rule"),
    InvalidParameter: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", "A parameter breaks a rule"),
    NoCredentials: Kind(
        HTTPStatus.UNAUTHORIZED,
        "no-credentials",
        "No credentials",
        "This call needs a token: send Authorization: Bearer <token>.",
    ),
    NotReady: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
    Stopping: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "stopping",
        "The service is stopping",
        "The request did not finish before the service had to stop. Ask again.",
    ),
    # Parameters are read by hand, so all that Litestar finds missing is a body.
    ValidationException: Kind(
        HTTPStatus.BAD_REQUEST, "", HTTPStatus.BAD_REQUEST.phrase, "The body is empty; this call takes JSON."
    ),
}

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
    kind = _kind(error)
    problem = Problem(
        type=f"urn:problem-type:evo-todo:{kind.name}" if kind.name else "about:blank",
        title=kind.title,
        status=kind.status,
        detail=_detail(error) or kind.detail,
        instance=scope["raw_path"].decode("latin-1"),
        request_id=scope["state"]["request_id"],
        errors=_field_problems(error),
    )
    return problem, _headers(error)


def _kind(error: Exception) -> Kind:
    if (kind := KINDS.get(type(error))) is not None:
        return kind
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = _DETAILS.get(status, status.phrase)
    if isinstance(error, HTTPException) and status < HTTPStatus.INTERNAL_SERVER_ERROR and error.detail != status.phrase:
        detail = error.detail
    return Kind(status, "", status.phrase, detail)


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
    match error:
        case NoCredentials():
            return {"WWW-Authenticate": "Bearer"}
        case InvalidToken():
            challenge = dict(InvalidTokenError(error.reason).get_headers())
            return {"WWW-Authenticate": challenge["WWW-Authenticate"]}
        case NotReady() | Stopping():
            return {"Retry-After": "1"}
        case Unavailable():
            return {"Retry-After": str(error.retry_after)}
        case HTTPException():
            return dict(error.headers or {})
    return {}
