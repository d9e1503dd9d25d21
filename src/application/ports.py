"""Ports: what the use cases need from the outside; adapters implement them. A port of one use case is beside that."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, runtime_checkable

from domain.audit import ALL_EVENTS, AuditEvent, AuditQuery
from domain.changes import Changes, ChangesQuery
from domain.idempotency import IdempotencyKey
from domain.identity import Principal, SessionId, UserId
from domain.rate_limit import RateLimit, RateLimitStatus
from domain.task import NO_REVISION, Revision, Revisions, Task, TaskId
from domain.task_list import NotModified, TaskPage, TaskQuery


class TaskList(Protocol):
    """Read access to one owner's tasks. Tombstones are invisible."""

    async def get(self, task_id: TaskId, *, seen: Revision = NO_REVISION) -> Task:
        """Raise TaskNotFound if this owner has no such task.

        The list is read as it was at the revision `seen`, which the caller knows to exist, or later.
        """

    async def page(self, query: TaskQuery, *, known: Revisions | None = None) -> TaskPage | NotModified:
        """Return the tasks that match the query and the list's revision, from one consistent snapshot.

        The list of an owner who never had a task is at revision 0. If the list's revision is in `known`, only the
        revision is read.
        """

    async def changes(self, query: ChangesQuery) -> Changes:
        """Return what has changed after the query's token, in the order of revisions, from one consistent snapshot.

        Each task comes once, however often it changed. Without a token: every task. A page has fewer than the limit
        where it would be too large. If nothing has changed, no task is read. Raise SyncTokenExpired if the list can't
        tell any more.
        """


class EditableTaskList(Protocol):
    """One owner's tasks during a change.

    The first call locks the list until the change ends. What is stored takes the later of the change's instant and the
    list's last change: within a list, `updated_at` never decreases from one revision to the next.
    """

    async def get(self, task_id: TaskId) -> Task:
        """Raise TaskNotFound if this owner has no such task."""

    async def get_including_deleted(self, task_id: TaskId) -> Task:
        """Return the task or its tombstone. Raise TaskNotFound if this owner has neither."""

    async def save(self, task: Task) -> Task:
        """Store a task or tombstone that was read here as the list's next revision; return it as it was stored."""


class TaskLists(Protocol):
    """All task lists; each is opened for its owner, and gives access to no other owner's tasks.

    Every method raises StorageUnavailable if the storage is unavailable.
    """

    def open(self, owner: UserId) -> TaskList:
        """Open the owner's list for reading. Each read has a snapshot of its own."""

    def edit(self, owner: UserId, actor: Principal, *, at: datetime) -> AbstractAsyncContextManager[EditableTaskList]:
        """Open the owner's list for a change, in one transaction.

        A clean exit commits, an exception rolls back. If nothing was saved, no revision is used. Entering it, or the
        first call inside, raises InvalidToken if the actor's token was issued before the list was erased.
        """

    async def add(self, owner: UserId, actor: Principal, task: Task) -> Task:
        """Store a new task as a change of its own; return it as it was stored.

        Raise InvalidToken if the actor's token was issued before the list was erased, or ListFull.
        """

    async def add_once(
        self, owner: UserId, actor: Principal, task: Task, key: IdempotencyKey, *, expired_at: datetime
    ) -> tuple[Task, bool]:
        """Store a new task and the key in one transaction, unless the list knows the key from after `expired_at`.

        Return the task, or the one that the first request with the key created, as it was then although it may have
        changed or gone since, and whether it is that. Of several at once, one stores and the others wait for it.

        Raise InvalidToken or ListFull as `add` does, and then keep nothing, or IdempotencyKeyReused.
        """

    async def erase(self, owner: UserId, at: datetime) -> None:
        """Refuse all changes with tokens issued up to that instant, then permanently delete all tasks and tombstones.

        The refusal is stored with the list, also for an owner who never had one, before anything is deleted: it holds
        in every process, whatever each knows of revocations, and no task is left or stored afterwards by such a token.
        The list's revision increases. Long lists are deleted in batches, each its own transaction, so others may see a
        partially erased list. Safe to repeat, also after a failure. Tasks stored later have higher revisions than all
        erased ones.
        """


class Client(Protocol):
    """The address that an unverified token comes from."""

    @property
    def identity(self) -> str:
        """What the address is counted as; equal for the addresses of one client."""

    def ensure_within_limit(self) -> None:
        """Raise TooManyRequests when this process knows that the client has exceeded its limit; does not wait."""


class TokenVerifier(Protocol):
    """Verifies bearer tokens."""

    def remembered(self, unverified_token: bytes) -> Principal | None:
        """The principal of a token that was verified before, found without waiting: the same that `verify` returns.

        `None` when the token was not verified before, or when its key can't be confirmed without waiting: removed,
        replaced, or a refresh of the keys is due. Then call `verify`, which decides.

        Raises InvalidToken if the token was verified before, and has expired.
        """

    async def verify(self, unverified_token: str, client: Client) -> Principal:
        """The principal of a token. Clients take turns while many tokens wait for verification.

        Raises:
            InvalidToken: the token breaks a rule.
            KeysUnavailable, Overloaded: the token can't be verified now.
            TooManyRequests: the token was not verified before, and will not be, because its client is over its limit.
        """


class Revocations(Protocol):
    """Tokens that are revoked although they are signed and have not expired."""

    def is_revoked(self, principal: Principal) -> bool:
        """Whether the principal's token is revoked; reads memory only and does not wait.

        Raises RevocationsUnavailable if the revocations have not been refreshed for too long.
        """

    async def revoke(
        self, user_id: UserId, session_id: SessionId | None, at: datetime, token_lifetime: float | None = None
    ) -> None:
        """Revoke a session, or with `None` all of a user's tokens issued up to `at`; effective here immediately.

        It is kept as long as these tokens can be accepted (TokenLifetimes.retention); never shorter than an earlier
        revocation of the same.

        Raises StorageUnavailable if it could not be stored: it may then be effective here, but not elsewhere.
        """


class AuditLog(Protocol):
    """Records audit events."""

    def record(self, event: AuditEvent) -> None:
        """Record the event without waiting. Never raises: events that cannot be stored are counted."""


class AuditTrail(Protocol):
    """Reads recorded audit events."""

    def read(self, query: AuditQuery = ALL_EVENTS) -> AsyncIterator[AuditEvent]:
        """Yield events, the newest last. Raises StorageUnavailable if they cannot be read."""

    async def purge_before(self, instant: datetime) -> int:
        """Delete older events and return their number. Raises StorageUnavailable if they cannot be deleted now."""


class RateLimiter(Protocol):
    """Counts requests per key in fixed windows."""

    async def hit(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """Count a request of the key in the limit's current window and return the limit's status.

        Never fails and never waits long: if a shared counter is unavailable, a local one is used.
        """

    def known(self, key: str, limit: RateLimit) -> RateLimitStatus | None:
        """The limit's status after the last request counted here, without waiting; `None`: none in this window."""


@runtime_checkable
class LocalRateLimiter(RateLimiter, Protocol):
    """A rate limiter that counts in memory, so that no call has to wait."""

    def hit_now(self, key: str, limit: RateLimit) -> RateLimitStatus:
        """The same as `hit`, without waiting."""

    def note(self, key: str, limit: RateLimit, used: int) -> None:
        """Go on from this number of requests in the current window, which were counted elsewhere."""


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return the current instant, in UTC."""


class IdGenerator(Protocol):
    """Generates task IDs."""

    def next(self, at: datetime) -> TaskId:
        """Return a unique ID; IDs of later instants sort later (UUID version 7, RFC 9562 §5.7)."""
