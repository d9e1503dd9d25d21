"""Errors on the wire: problem details (RFC 9457), and the table of what each error is."""

from http import HTTPStatus
from typing import Annotated, Final

from attrs import define, frozen
from litestar.exceptions import ValidationException
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import (
    AccessDenied,
    InvalidField,
    InvalidToken,
    KeysUnavailable,
    Overloaded,
    RevisionMismatch,
    RevocationsUnavailable,
    StorageUnavailable,
    TaskNotFound,
    TooManyRequests,
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
class ProblemType:
    """What a class of errors is on the wire; where the detail is empty, the error itself has the words."""

    status: HTTPStatus
    name: str
    title: str
    detail: str = ""


PROBLEM_TYPES: Final[dict[type[Exception], ProblemType]] = {
    InvalidToken: ProblemType(HTTPStatus.UNAUTHORIZED, "invalid-token", "The token is not valid"),
    AccessDenied: ProblemType(
        HTTPStatus.FORBIDDEN,
        "access-denied",
        "Access denied",
        "The path names another user than the token: use the token's own subject.",
    ),
    TaskNotFound: ProblemType(
        HTTPStatus.NOT_FOUND, "task-not-found", "Task not found", "There is no such task in this list."
    ),
    RevisionMismatch: ProblemType(
        HTTPStatus.PRECONDITION_FAILED,
        "revision-mismatch",
        "Changed elsewhere",
        "The task has changed since you read it: get it again and decide anew.",
    ),
    InvalidField: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-field", "A field breaks a rule"),
    KeysUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "keys-unavailable",
        "The issuer's keys are not available",
        "The token can't be judged now. Keep it, and try again later.",
    ),
    Overloaded: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "overloaded",
        "Too many tokens at once",
        "The token was not looked at, because too many others wait. Keep it, and try again later.",
    ),
    TooManyRequests: ProblemType(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
        "This was one request too many. Wait as many seconds as Retry-After says.",
    ),
    RevocationsUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "revocations-unavailable",
        "What was revoked is not known",
        "Whether the token was revoked can't be told now. Keep it, and try again later.",
    ),
    StorageUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "storage-unavailable",
        "The tasks are not available",
        "The tasks can't be reached now. Try again later; nothing was changed unless you read so.",
    ),
    InvalidBody: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-field", "A field breaks a rule"),
    InvalidParameter: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", "A parameter breaks a rule"),
    NoCredentials: ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "no-credentials",
        "No credentials",
        "This call needs a token: send Authorization: Bearer <token>.",
    ),
    NotReady: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
    Stopping: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "stopping",
        "The service is stopping",
        "The request did not finish before the service had to stop. Ask again.",
    ),
    # Parameters are read by hand, so all that Litestar finds missing is a body.
    ValidationException: ProblemType(
        HTTPStatus.BAD_REQUEST, "", HTTPStatus.BAD_REQUEST.phrase, "The body is empty; this call takes JSON."
    ),
}
