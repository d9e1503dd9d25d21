"""Everything that can be refused. Errors carry data; what they mean on a wire is the adapters' affair."""

from attrs import define

from domain.rate_limit import RateLimitStatus


class DomainError(Exception):
    """The root: whatever this project refuses on purpose."""


@define
class InvalidToken(DomainError):
    """No principal can be had from these credentials (RFC 6750 §3.1)."""

    reason: str
    """One of our own fixed sentences: never a word out of the token."""


@define
class InvalidSecurityEvent(DomainError):
    """A Security Event Token that is not taken (RFC 8935 §2.4)."""

    code: str
    """The RFC's word for it."""
    reason: str
    """One of our own fixed sentences: never a word out of the token."""


@define
class AccessDenied(DomainError):
    """The principal asked for a list that is not theirs."""


@define
class InvalidField(DomainError):
    """A value breaks a rule of its field."""

    field: str
    rule: str


@define
class TaskNotFound(DomainError):
    """This owner has no such task; a deleted one and another owner's look the same."""


@define
class RevisionMismatch(DomainError):
    """The task has changed since the client read it (RFC 9110 §13.1.1)."""


@define
class TooManyRequests(DomainError):
    """More was asked for in this window than the limit allows (RFC 6585 §4)."""

    allowance: RateLimitStatus


@define
class Unavailable(DomainError):
    """Something that the answer depends on can't be reached now; later it may."""

    retry_after: int = 1
    """Seconds after which another try makes sense."""


@define
class KeysUnavailable(Unavailable):
    """The issuer's keys can't be had and none usable is cached: no token can be judged."""


@define
class RevocationsUnavailable(Unavailable):
    """What was revoked could not be read for too long: no token can be trusted."""


@define
class Overloaded(Unavailable):
    """More tokens wait to be verified than can be in a short time: this one was not looked at."""


@define
class StorageUnavailable(Unavailable):
    """The tasks can't be reached: no database, no free connection, or a time-out."""
