"""What each error is on the wire: the one table of problem types (RFC 9457 §3.1)."""

from http import HTTPStatus
from typing import Final

from attrs import frozen

from adapters.http.problems import InvalidBody, InvalidParameter, NoCredentials, NotReady, Stopping
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
