"""Domain errors. They carry data; each adapter decides how to represent them."""

from attrs import define

from domain.rate_limit import RateLimitStatus


class DomainError(Exception):
    """Base class of all errors that this service raises on purpose."""


@define
class InvalidToken(DomainError):
    """The access token is not valid (RFC 6750 §3.1)."""

    reason: str
    """A constant of this program, never text from the token."""


@define
class InvalidSecurityEvent(DomainError):
    """The Security Event Token is not accepted (RFC 8935 §2.4)."""

    code: str
    """The error code of RFC 8935 §2.4."""
    reason: str
    """A constant of this program, never text from the token."""


@define
class AccessDenied(DomainError):
    """The principal does not own the requested list."""


@define
class InsufficientScope(DomainError):
    """The token was issued to an application that may not use this service (RFC 6750 §3.1)."""

    scope: str | None
    """The scope that it needs; `None`: no application may use this service."""


@define
class InvalidField(DomainError):
    """A value violates a rule of its field."""

    field: str
    rule: str


@define
class TaskNotFound(DomainError):
    """The owner has no such task. Deleted tasks and other users' tasks are indistinguishable from missing ones."""


@define
class ListFull(DomainError):
    """The list has as many tasks and tombstones as it may."""


@define
class RevisionMismatch(DomainError):
    """The task has changed since the client read it (RFC 9110 §13.1.1)."""


@define
class IdempotencyKeyReused(DomainError):
    """The idempotency key has come with another request before."""


@define
class SyncTokenExpired(DomainError):
    """The list can't say what has changed since that token: purged meanwhile, or restored, or not a token of it."""


@define
class TooManyRequests(DomainError):
    """The rate limit of the current window is exceeded (RFC 6585 §4)."""

    status: RateLimitStatus


@define
class TooManySearches(DomainError):
    """A search of this user runs, and others wait already."""

    retry_after: int
    """Seconds after which a retry makes sense."""


@define
class TooManyStreams(DomainError):
    """This user has as many open event streams as one may have."""

    retry_after: int
    """Seconds after which a retry makes sense."""


@define
class Unavailable(DomainError):
    """A dependency of the request is temporarily unavailable."""

    retry_after: int = 1
    """Seconds after which a retry makes sense."""


@define
class KeysUnavailable(Unavailable):
    """The issuer's keys cannot be fetched and none are cached, so no token can be verified."""


@define
class RevocationsUnavailable(Unavailable):
    """The revocations have not been refreshed for too long, so no token can be trusted."""


@define
class Overloaded(Unavailable):
    """Too many tokens wait for verification; this one was not checked."""


@define
class StreamsExhausted(Unavailable):
    """This process has as many open event streams as it may have."""


@define
class StorageUnavailable(Unavailable):
    """The task storage is unavailable: no database, no free connection, or a timeout."""


@define
class SearchUnavailable(Unavailable):
    """A search takes too long, or too many of other users run."""
