"""What the API sends, and how a watch waits. Members that a later version of the API adds are ignored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, TypeVar

from evo_todo_client.problems import unexpected_response

T = TypeVar("T")

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
    def from_json(cls, data: Any) -> Self:
        """Raises ValueError for what is not a task."""
        return cls(
            id=member(data, "id", str),
            user_id=member(data, "user_id", str),
            title=member(data, "title", str),
            description=optional(data, "description"),
            completed=member(data, "completed", bool),
            created_at=datetime.fromisoformat(member(data, "created_at", str)),
            updated_at=datetime.fromisoformat(member(data, "updated_at", str)),
            revision=member(data, "revision", int),
            deleted_at=None if (at := optional(data, "deleted_at")) is None else datetime.fromisoformat(at),
        )

    @classmethod
    def received(cls, data: Any) -> Self:
        """Raises ApiProblem for what is not a task."""
        try:
            return cls.from_json(data)
        except ValueError as error:
            raise unexpected_response() from error

    @classmethod
    def page(cls, data: Any) -> tuple[list[Self], str | None]:
        """The tasks of a page, and the cursor of the next one. Raises ApiProblem for what is not a page."""
        try:
            return [cls.from_json(one) for one in member(data, "data", list)], optional(data, "next_cursor")
        except ValueError as error:
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

    @classmethod
    def received(cls, data: Any, *, is_reset: bool) -> tuple[Self, bool]:
        """The page, and whether there is another one. Raises ApiProblem for what is not a page."""
        try:
            tasks = [Task.from_json(one) for one in member(data, "data", list)]
            deleted, token = member(data, "deleted", list), member(data, "sync_token", str)
            return cls(is_reset, tasks, deleted, token), member(data, "has_more", bool)
        except ValueError as error:
            raise unexpected_response() from error


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


def member(data: Any, name: str, kind: type[T]) -> T:
    """A member of a JSON object. Raises ValueError if there is none of this kind."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, kind) and isinstance(value, bool) is (kind is bool):
        return value
    raise ValueError(f"there is no valid `{name}`")


def optional(data: Any, name: str) -> str | None:
    """A text that may be null or absent. Raises ValueError for anything else."""
    return None if isinstance(data, dict) and data.get(name) is None else member(data, name, str)
