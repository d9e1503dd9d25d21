"""What the API sends, and how a watch waits. Members that a later version of the API adds are ignored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from evo_todo_client.problems import unexpected_response

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "-deleted_at"]


@dataclass(frozen=True, slots=True)
class Task:
    """A task. `revision` is the list's at the task's last change: pass it to change only what you have seen."""

    id: str
    user_id: str
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime
    revision: int
    deleted_at: datetime | None = None
    """Of deleted tasks only."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is not a task."""
        deleted_at = data.get("deleted_at")
        return cls(
            id=data["id"],
            user_id=data["user_id"],
            title=data["title"],
            description=data["description"],
            completed=data["completed"],
            created_at=datetime.fromisoformat(data["created_at"]),
            updated_at=datetime.fromisoformat(data["updated_at"]),
            revision=data["revision"],
            deleted_at=None if deleted_at is None else datetime.fromisoformat(deleted_at),
        )

    @classmethod
    def received(cls, data: Any) -> Self:
        """Raises ApiProblem for what is not a task."""
        try:
            return cls.from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise unexpected_response() from error


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of what changed in a list."""

    is_reset: bool
    """This page is the first of the whole list: forget every task from before it."""
    tasks: list[Task]
    """Created, changed or restored, in the order of their revisions."""
    deleted: list[str]
    """The ids of tasks that were deleted."""
    sync_token: str
    """Where to go on when this page has been applied. Opaque."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A task was created, changed or restored. Ignore it if you have a later revision."""

    task: Task
    sync_token: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A task was deleted. `revision` is that of its deletion; `None` while polling."""

    task_id: str
    revision: int | None
    sync_token: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Read the list anew: what changed before is unknown. What changes from here on is reported."""

    sync_token: str


Event = Changed | Deleted | Reset
"""What a watch reports. `sync_token`: pass it as `since` to go on after this event."""

Status = Literal["connecting", "live", "polling"]
"""How soon a watch reports changes: when a connection is there again, at once, or within seconds."""


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How a watch waits, in seconds."""

    silence: float = 20.0
    """Without a byte, before the stream counts as broken: the API sends a comment every 15 s."""
    proof: float = 10.0
    """From `ready` on, after which whatever arrives shows that the stream is not held back."""
    retry: float = 3.0
    """The first backoff, until the API says another one; doubled with each failure."""
    max_backoff: float = 30.0
    restart: float = 5.0
    """The time over which clients come back when the service has stopped."""
    poll: float = 5.0
    """Between two polls, give or take a half."""
    polling: float = 60.0
    """Before a stream is tried again where they are held back; doubled each time, up to ten times as long."""
