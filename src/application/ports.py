"""What the use cases need of the world, in their own words; adapters implement it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NewType, Protocol

from domain.audit import AuditEvent, AuditKind
from domain.identity import Principal, SessionId, UserId
from domain.rate_limit import RateLimit, RateLimitStatus
from domain.revocation import SecurityEvent
from domain.task import Task, TaskId
from domain.task_list import NotModified, Revisions, TaskPage, TaskQuery


class TaskList(Protocol):
    """One owner's tasks, to be read. Tombstones do not show."""

    async def get(self, task_id: TaskId) -> Task:
        """Raise TaskNotFound when this owner has no such task."""

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        """The tasks that the query asks for, and the revision at which they were so, all of one instant.

        The list of an owner who never had a task is at revision 0. Where the revision is among those `known`, it alone
        is read.
        """


class EditableTaskList(Protocol):
    """One owner's tasks while one change is made to them.

    From its first use on, the change has the list's next revision, and holds the list's lock until it ends.
    """

    async def get(self, task_id: TaskId) -> Task:
        """Raise TaskNotFound when this owner has no such task."""

    async def get_including_deleted(self, task_id: TaskId) -> Task:
        """The task or its tombstone. Raise TaskNotFound when this owner has neither."""

    async def save(self, task: Task) -> Task:
        """Store a task, or a tombstone, that was got here, as it is now; the answer bears this change's revision."""


class TaskLists(Protocol):
    """Everybody's lists; each is opened for its owner, and nothing reaches past that owner.

    Every method raises StorageUnavailable when the lists can't be reached.
    """

    def open(self, owner: UserId) -> TaskList:
        """The owner's list, to be read: each read by itself, and of the instant at which it is made."""

    def edit(self, owner: UserId) -> AbstractAsyncContextManager[EditableTaskList]:
        """The owner's list, to be changed in one transaction.

        A clean exit commits, an exception rolls back; where nothing was stored, no revision is used up.
        """

    async def add(self, owner: UserId, task: Task) -> Task:
        """Store a new task, which is a change of its own; the answer bears its revision."""

    async def erase(self, owner: UserId) -> None:
        """Remove the owner's tasks and tombstones for good; where there were any, the list's revision rises.

        Not one transaction: a long list goes in parts, and others see what is left. Safe to repeat, also after a
        failure half way. What the owner stores later bears higher revisions than whatever was erased.
        """


class TokenVerifier(Protocol):
    """Verifies bearer tokens."""

    def remembered(self, unverified_token: bytes) -> Principal | None:
        """The principal of a token that was verified before, found without waiting: the same that `verify` returns.

        `None` when the token was not verified before, or when its key can't be confirmed without waiting: removed,
        replaced, or a refresh of the keys is due. Then call `verify`, which decides.

        Raises:
            InvalidToken: the token was verified before, and has expired.
        """

    async def verify(self, unverified_token: str) -> Principal:
        """The principal of a token.

        Raises:
            InvalidToken: the token breaks a rule.
            KeysUnavailable, Overloaded: the token can't be verified now.
        """


class Revocations(Protocol):
    """Which tokens don't count any more, though they are signed and have not expired."""

    def is_revoked(self, principal: Principal) -> bool:
        """Whether the principal's token was revoked; told from memory, without waiting.

        Raises RevocationsUnavailable when that has not been known for too long.
        """

    async def revoke(self, user_id: UserId, session_id: SessionId | None, at: datetime) -> None:
        """End a session, or with `None` all of a user's tokens issued up to `at`; it holds here at once.

        Raises StorageUnavailable when it could not be kept: then it may hold here, but not elsewhere.
        """

    async def wait_for_propagation(self) -> None:
        """Wait until what was revoked before holds everywhere, and what began before that is over."""


class SecurityEventVerifier(Protocol):
    """VerificationQueue a Security Event Token (RFC 8417) into the event it tells of."""

    async def verify(self, unverified_event: str) -> SecurityEvent:
        """Raise InvalidSecurityEvent when it fails any rule, KeysUnavailable when it can't be judged now."""


class AuditLog(Protocol):
    """Where is written who did what."""

    def record(self, event: AuditEvent) -> None:
        """Keep the event; never wait and never fail: what can't be kept is counted."""


class AuditTrail(Protocol):
    """Where is read who did what."""

    def read(
        self,
        *,
        user: UserId | None = None,
        since: datetime | None = None,
        kinds: frozenset[AuditKind] = frozenset(),
        limit: int | None = None,
    ) -> AsyncIterator[AuditEvent]:
        """The events, the newest last; only that user's, only from then on, only of those kinds (none: all).

        With a limit, only so many of the newest.

        Raises StorageUnavailable when they can't be read.
        """

    async def purge_before(self, instant: datetime) -> int:
        """Take away what is older; how many events that were.

        Raises StorageUnavailable when that can't be done now.
        """


class RateLimiter(Protocol):
    """Counts requests, each key by itself, window by window."""

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """Count one more request of that key in the present window of the limit; tell what is left.

        Never fails, and never waits long: where a shared count can't be reached, a nearer one stands in.
        """


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """The present instant, in UTC."""


class IdGenerator(Protocol):
    """Where new tasks get their names."""

    def next(self, at: datetime) -> TaskId:
        """An id nobody has; one for a later instant sorts later (UUID version 7, RFC 9562 §5.7)."""


class ReadinessCheck(Protocol):
    """Something the service can't do its work without."""

    @property
    def name(self) -> str:
        """What is checked, in a word."""

    async def problem(self) -> str | None:
        """What is missing and what to do about it; `None` when all is well."""


class BackgroundTask(Protocol):
    """Work beside the requests of one worker, until it is cancelled."""

    async def prepare(self) -> None:
        """Do what must be done before the first request; an unavailable dependency must not stop the worker."""

    async def run(self) -> None:
        """Do the rest."""


BackgroundWork = NewType("BackgroundWork", tuple[BackgroundTask, ...])
"""Everything that runs beside the requests."""
