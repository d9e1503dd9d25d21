"""Problems (RFC 9457): their shape, the errors of this layer, and the one table of what each error is on the wire."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

from attrs import Factory, define, frozen
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.errors import (
    AccessDenied,
    IdempotencyKeyReused,
    InsufficientScope,
    InvalidField,
    InvalidToken,
    KeysUnavailable,
    ListFull,
    Overloaded,
    RevisionMismatch,
    RevocationsUnavailable,
    SearchUnavailable,
    StorageUnavailable,
    StreamsExhausted,
    SyncTokenExpired,
    TaskNotFound,
    TooManyRequests,
    TooManySearches,
    TooManyStreams,
)

MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(Struct, frozen=True, omit_defaults=True):
    """What is wrong with one member of the body, or one parameter."""

    detail: str
    pointer: Annotated[str, Meta(description="Where in the body (RFC 6901).", examples=["/title"])] | UnsetType = UNSET
    parameter: Annotated[str, Meta(description="Which query parameter.", examples=["limit"])] | UnsetType = UNSET


class Problem(Struct, frozen=True, kw_only=True):
    """A problem (RFC 9457)."""

    type: Annotated[str, Meta(description="Identifies the kind of problem.", examples=["about:blank"])] = "about:blank"
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What happened and what to do, for people.")]
    instance: Annotated[str, Meta(description="The path of the request.")]
    request_id: Annotated[str, Meta(description="Identifies this request in the logs; also in `X-Request-Id`.")]
    errors: list[FieldProblem] | UnsetType = UNSET


@define
class RequestError(Exception):
    """A request that HTTP itself refuses: malformed, too large, or of the wrong type."""

    status: int
    detail: str = ""
    """Empty: the status's own, from STATUS_PROBLEMS."""
    headers: Mapping[str, str] = Factory(dict)


@define
class InvalidBody(Exception):
    """JSON, but not of the shape that the call takes."""

    pointer: str
    rule: str


@define
class NotReady(Exception):
    """A dependency of the service is missing."""

    missing: dict[str, str]


@define
class InvalidParameter(Exception):
    """A query parameter is unknown or breaks a rule."""

    parameter: str
    rule: str


class Stopping(Exception):
    """The process must stop, and the request did not finish in time."""


@define
class NoCredentials(Exception):
    """The request has no bearer token."""


@frozen
class ProblemType:
    """What a kind of error is on the wire (RFC 9457 §3.1)."""

    status: HTTPStatus
    name: str
    """The last part of its URN; empty: `about:blank`, the status says it all (§4.2.1)."""
    title: str
    detail: str = ""
    """Empty where the error itself has the words."""
    when: str = ""
    """For the OpenAPI document, in the one type of each status that stands for it there."""
    example: str = ""
    """A `detail` for the document, where `detail` is empty."""

    @property
    def uri(self) -> str:
        """The problem's `type`."""
        return f"urn:problem-type:evo-todo:{self.name}" if self.name else "about:blank"


PROBLEM_TYPES: Final[dict[type[Exception], ProblemType]] = {
    InvalidToken: ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "invalid-token",
        "The token is not valid",
        when="There is no token, or it is not valid.",
        example="The token has expired.",
    ),
    NoCredentials: ProblemType(
        HTTPStatus.UNAUTHORIZED,
        "no-credentials",
        "No credentials",
        "This call needs a token: send Authorization: Bearer <token>.",
    ),
    AccessDenied: ProblemType(
        HTTPStatus.FORBIDDEN,
        "access-denied",
        "Access denied",
        "The path names another user than the token: use the token's own subject.",
        when="The path names another user than the token, or the token was issued to an application without the "
        "scope that the service requires (`WWW-Authenticate` says so).",
    ),
    InsufficientScope: ProblemType(
        HTTPStatus.FORBIDDEN,
        "insufficient-scope",
        "The token is not sufficient",
        "The token was issued to an application, and not for this service: use the person's own token, or one with "
        "the scope in WWW-Authenticate.",
    ),
    TaskNotFound: ProblemType(
        HTTPStatus.NOT_FOUND,
        "task-not-found",
        "Task not found",
        "There is no such task in this list.",
        when="There is no such task in this user's list.",
    ),
    ListFull: ProblemType(
        HTTPStatus.CONFLICT,
        "list-full",
        "The list is full",
        "This list has as many tasks as it may, deleted ones included. Delete tasks that you no longer need: they make"
        " room when their time in the trash is over. If it is full of tasks that you do need, ask the operator of this"
        " service for a larger list.",
        when="The list has as many tasks and deleted tasks as it may.",
    ),
    SyncTokenExpired: ProblemType(
        HTTPStatus.GONE,
        "sync-token-expired",
        "The sync token has expired",
        "The changes since that sync token are no longer known: begin again without `since`.",
        when="The sync token is too old, from before a restore, or not one of this list.",
    ),
    RevisionMismatch: ProblemType(
        HTTPStatus.PRECONDITION_FAILED,
        "revision-mismatch",
        "Changed elsewhere",
        "The task has changed since you read it: get it again, then decide whether to repeat the change.",
        when="`If-Match` names another revision than the task's.",
    ),
    InvalidField: ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-field",
        "A field breaks a rule",
        when="A member or a parameter breaks a rule, or is unknown.",
        example="title: must not be blank.",
    ),
    InvalidBody: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-field", "A field breaks a rule"),
    InvalidParameter: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter", "A parameter breaks a rule"),
    IdempotencyKeyReused: ProblemType(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The idempotency key is in use",
        "This Idempotency-Key has come with another request before: use a new key for each task.",
    ),
    TooManyRequests: ProblemType(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
        "You have sent too many requests in a short time. Wait a moment, then try again.",
        when="The user, or without a valid token the address, has used up the rate limit, or searches of this user wait"
        " already, or this user has too many event streams: retry after `Retry-After`.",
    ),
    TooManySearches: ProblemType(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-searches",
        "Too many searches at once",
        "Another search of yours is still running. Wait a moment, then search again.",
    ),
    TooManyStreams: ProblemType(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-streams",
        "Too many event streams",
        "You have as many event streams open as one user may: close one, or follow the list with `changes`.",
    ),
    StreamsExhausted: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "streams-exhausted",
        "No event stream is free",
        "The service has as many event streams open as it may. Try again later, or follow the list with `changes`.",
    ),
    SearchUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "search-unavailable",
        "The search takes too long",
        "The search did not end in time. Narrow it with `completed` or a rarer word, or try again later.",
    ),
    StorageUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "storage-unavailable",
        "The tasks are not available",
        "The tasks can't be read or stored at the moment. Try again later; an unconfirmed change may have been made.",
        when="The issuer's keys or the database can't be reached: retry after `Retry-After` seconds.",
    ),
    KeysUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "keys-unavailable",
        "The issuer's keys are not available",
        "The token can't be verified now. Keep it, and try again later.",
    ),
    Overloaded: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "overloaded",
        "Too many tokens at once",
        "Too many tokens are waiting to be verified, so this one was not. Keep it, and try again later.",
    ),
    RevocationsUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "revocations-unavailable",
        "Revocations are not available",
        "Whether the token was revoked can't be checked now. Keep it, and try again later.",
    ),
    NotReady: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
    Stopping: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "stopping",
        "The service is stopping",
        "The request did not finish before the service had to stop. Try again.",
    ),
}
"""Every error that has a type of its own."""


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
