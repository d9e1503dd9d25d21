"""The shapes of requests and responses (msgspec Structs), and their translation from and to the domain."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from adapters.http.list_params import encode_cursor
from domain import task
from domain.changes import Changes
from domain.task import MAX_DESCRIPTION, MAX_TITLE, Task, TaskChange
from domain.task_list import TaskPage, TaskQuery
from domain.text import INVISIBLE

EXAMPLE_TASK_ID: Final = "019a0c2f-7d00-7abc-8def-0123456789ab"
EXAMPLE_TASK: Final = {
    "id": EXAMPLE_TASK_ID,
    "user_id": "alice",
    "title": "Buy milk",
    "description": None,
    "completed": False,
    "created_at": "2026-01-01T09:00:00Z",
    "updated_at": "2026-01-01T09:00:00Z",
    "revision": 1,
}
EXAMPLE_EVENTS: Final = f"""retry: 3000

event: ready
id: ASvYBskiPcsAAAAAAAAAAw
data: {{}}

event: task.deleted
id: ASvYBskiPcsAAAAAAAAABA
data: {{"id":"{EXAMPLE_TASK_ID}","revision":4}}

"""


def _range(first: int, last: int) -> str:
    """A range of a pattern's characters; those beyond U+FFFF stand raw, as JavaScript escapes them in another way."""
    start, end = (f"\\u{code:04x}" if code <= 0xFFFF else chr(code) for code in (first, last))  # noqa: PLR2004
    return start if first == last else f"{start}-{end}"


# For the OpenAPI document only: the domain validates text, after trimming it.
_TEXT = r"^[^\u0000]*$"
_INVISIBLE = "".join(_range(first, last) for first, last in INVISIBLE)
_TITLE = {"minLength": 1, "maxLength": MAX_TITLE, "pattern": rf"^[^\u0000]*[^{_INVISIBLE}][^\u0000]*$"}
_DESCRIPTION = {"maxLength": MAX_DESCRIPTION, "pattern": _TEXT}

Title = Annotated[
    str,
    Meta(
        description="1 to 255 characters (Unicode code points) after trimming, one of them visible.",
        examples=["Buy milk"],
        extra_json_schema=_TITLE,
    ),
]
Description = Annotated[
    str | None,
    Meta(description="At most 2000 characters, or null.", examples=["Two bottles"], extra_json_schema=_DESCRIPTION),
]
Completed = Annotated[bool, Meta(description="Whether the task is done.", examples=[False])]
Ignored = Annotated[Raw, Meta(description="Set by the server; ignored here.", extra_json_schema={"readOnly": True})]
"""Any JSON: it is not converted, so that no number is too large."""

Instant = Annotated[datetime, Meta(description="RFC 3339, UTC.", extra_json_schema={"format": "date-time"})]


class TaskView(Struct, frozen=True, kw_only=True):
    """A task."""

    id: Annotated[UUID, Meta(description="A UUID of version 7: ids sort by creation.")]
    user_id: Annotated[str, Meta(description="Whose task it is: the token's `sub`.", examples=["alice"])]
    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE, examples=["Buy milk"])]
    description: Annotated[str, Meta(max_length=MAX_DESCRIPTION)] | None
    completed: bool
    created_at: Instant
    updated_at: Instant
    revision: Annotated[int, Meta(ge=1, description="The list's revision at the last change; what the ETag holds.")]
    deleted_at: Annotated[Instant, Meta(description="Of deleted tasks only.")] | UnsetType = UNSET

    @classmethod
    def of(cls, task: Task) -> "TaskView":
        """The task as clients see it."""
        return cls(
            id=task.id,
            user_id=task.owner,
            title=task.title,
            description=task.description,
            completed=task.completed,
            created_at=task.created_at,
            updated_at=task.updated_at,
            revision=task.revision,
            deleted_at=UNSET if task.deleted_at is None else task.deleted_at,
        )


class TaskPageView(Struct, frozen=True, kw_only=True):
    """One page of a list."""

    data: list[TaskView]
    count: Annotated[int, Meta(ge=0, description="How many tasks `data` holds.")]
    next_cursor: Annotated[
        str | None, Meta(description="Ask again with this `cursor` for what follows; null at the end.")
    ]

    @classmethod
    def of(cls, page: TaskPage, query: TaskQuery) -> "TaskPageView":
        """The page as clients see it."""
        data = [TaskView.of(task) for task in page.tasks]
        cursor = None if page.next is None else encode_cursor(page.next, query)
        return cls(data=data, count=len(data), next_cursor=cursor)


class ChangesView(Struct, frozen=True, kw_only=True):
    """One page of what has changed in a list."""

    data: Annotated[list[TaskView], Meta(description="Tasks that were created or changed, in the order of revisions.")]
    deleted: Annotated[list[UUID], Meta(description="The ids of tasks that are gone.")]
    count: Annotated[int, Meta(ge=0, description="How many tasks `data` holds.")]
    sync_token: Annotated[str, Meta(description="Ask again with this as `since` for what follows.", max_length=128)]
    has_more: Annotated[bool, Meta(description="More has changed already: ask again at once.")]

    @classmethod
    def of(cls, changes: Changes, sync_token: str) -> "ChangesView":
        """The page as clients see it."""
        data = [TaskView.of(task) for task in changes.tasks]
        return cls(
            data=data,
            deleted=list(changes.deleted),
            count=len(data),
            sync_token=sync_token,
            has_more=changes.has_more,
        )


class _FromServer(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Members that clients may send back with a whole task (AIP-203)."""

    id: Ignored | UnsetType = UNSET
    user_id: Ignored | UnsetType = UNSET
    created_at: Ignored | UnsetType = UNSET
    updated_at: Ignored | UnsetType = UNSET
    revision: Ignored | UnsetType = UNSET


class NewTask(_FromServer, frozen=True, kw_only=True):
    """A task to create."""

    title: Title
    description: Description = None


class TaskUpdate(_FromServer, frozen=True, kw_only=True):
    """The members to change; absent ones stay as they are (RFC 7396)."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    completed: Completed | UnsetType = UNSET

    def change(self) -> TaskChange:
        """The change in terms of the domain."""
        return TaskChange(
            title=task.UNSET if isinstance(self.title, UnsetType) else self.title,
            description=task.UNSET if isinstance(self.description, UnsetType) else self.description,
            completed=task.UNSET if isinstance(self.completed, UnsetType) else self.completed,
        )


class Completion(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Whether the task is to be done; without it, the task is toggled."""

    completed: Completed | UnsetType = UNSET


class Restoration(Struct, forbid_unknown_fields=True, frozen=True):
    """An empty object."""


class DeliveryProblem(Struct, frozen=True):
    """Why a security event was refused (RFC 8935 §2.3)."""

    err: str
    description: str


class Health(Struct, frozen=True):
    """The process responds."""

    status: Annotated[str, Meta(examples=["ok"])] = "ok"


class Readiness(Struct, frozen=True):
    """Every dependency of the service is available."""

    status: Annotated[str, Meta(examples=["ready"])]
    checks: Annotated[dict[str, str], Meta(examples=[{"database": "ok", "keys": "ok"}])]
