"""Reading a user's task list: orders, queries and pages."""

from datetime import datetime
from enum import Enum
from typing import Self

from attrs import field, frozen

from domain.errors import InvalidField
from domain.task import Revision, Task, TaskId
from domain.text import has_control_characters

MAX_PAGE = 1000
MAX_SEARCH_TEXT = 255
MAX_TASKS = 100_000
"""Tasks and tombstones of a list, by default."""


class Order(Enum):
    """How a list is sorted: by creation, as IDs do, or by the last change, as revisions do."""

    CREATED = "created_at"
    CREATED_LAST_FIRST = "-created_at"
    UPDATED = "updated_at"
    UPDATED_LAST_FIRST = "-updated_at"

    @property
    def by_update(self) -> bool:
        """Whether tasks are sorted by their last change rather than by creation."""
        return self in {Order.UPDATED, Order.UPDATED_LAST_FIRST}

    @property
    def descending(self) -> bool:
        """Whether the newest comes first."""
        return self in {Order.CREATED_LAST_FIRST, Order.UPDATED_LAST_FIRST}


@frozen
class PageKey:
    """A task's position in an order; the next page starts after it."""

    at: datetime
    task_id: TaskId
    revision: Revision = Revision(0)
    """In the orders by the last change, the task's revision, with which `updated_at` grows; else 0."""

    @classmethod
    def of(cls, task: Task, order: Order) -> Self:
        """Return the task's position in that order."""
        return cls(task.updated_at, task.id, task.revision) if order.by_update else cls(task.created_at, task.id)

    def key(self) -> tuple[datetime, int]:
        """Sort key: the instant, then the revision or else the ID."""
        return self.at, self.revision or self.task_id.int


def _is_page_size(_: object, __: object, value: int) -> None:
    if not 1 <= value <= MAX_PAGE:
        raise InvalidField("limit", f"must be a whole number from 1 to {MAX_PAGE}")


def _is_search_text(_: object, __: object, value: str) -> None:
    if len(value) > MAX_SEARCH_TEXT:
        raise InvalidField("q", f"must have at most {MAX_SEARCH_TEXT} characters")
    if has_control_characters(value):
        raise InvalidField("q", "must not contain control characters")


@frozen(kw_only=True)
class TaskQuery:
    """Filter, order, size and start of a page.

    Raises:
        InvalidField: the limit or the search text is out of range.
    """

    completed: bool | None = None
    text: str = field(default="", validator=_is_search_text)
    """Text that the title or description must contain, ignoring case; empty matches all."""
    order: Order = Order.CREATED
    limit: int = field(default=MAX_PAGE, validator=_is_page_size)
    after: PageKey | None = None


@frozen
class TaskPage:
    """Tasks of a list at one revision."""

    tasks: tuple[Task, ...]
    revision: Revision
    next: PageKey | None
    """The position of the last task if more follow, else `None`."""

    @classmethod
    def from_rows(cls, found: tuple[Task, ...], query: TaskQuery, revision: Revision) -> Self:
        """Build a page from a result that was read with a limit of one more than the page's."""
        tasks = found[: query.limit]
        more = len(found) > query.limit
        return cls(tasks, revision, PageKey.of(tasks[-1], query.order) if more else None)


@frozen
class NotModified:
    """The list is at a revision that the caller already has."""

    revision: Revision
