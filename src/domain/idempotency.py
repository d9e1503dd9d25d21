"""Retries that are safe: a request with a key is carried out once."""

from datetime import datetime
from typing import Self

from attrs import evolve, field, frozen

from domain.errors import IdempotencyKeyReused
from domain.task import Revision, Task, TaskId


@frozen
class IdempotencyKey:
    """A key that a client chose, and a digest of the request that it came with."""

    text: str
    request: bytes = field(repr=False)


@frozen
class FirstCreation:
    """What is remembered of the first request with a key: the rest of the task is in the request itself."""

    request: bytes = field(repr=False)
    task_id: TaskId
    created_at: datetime
    updated_at: datetime
    revision: Revision

    @classmethod
    def of(cls, key: IdempotencyKey, task: Task) -> Self:
        """Remember a task as it was stored."""
        return cls(key.request, task.id, task.created_at, task.updated_at, task.revision)

    def replayed(self, key: IdempotencyKey, task: Task) -> Task:
        """The task that the first request created, as it was then, from the same request's new task.

        Raises:
            IdempotencyKeyReused: it is another request.
        """
        if self.request != key.request:
            raise IdempotencyKeyReused
        return evolve(
            task,
            id=self.task_id,
            created_at=self.created_at,
            updated_at=self.updated_at,
            revision=self.revision,
        )
