"""Reading a user's task list: orders, queries and pages."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Final, Self

from attrs import Factory, field, frozen

from domain.errors import InvalidField
from domain.identity import MAX_USER_ID
from domain.task import MAX_DESCRIPTION, MAX_TITLE, Revision, Task, TaskId
from domain.text import fold, has_control_characters, json_size, search_parts

MAX_PAGE = 1000
MAX_SEARCH_TEXT = 255
MAX_TASKS = 100_000
"""Tasks and tombstones of a list, by default."""
MAX_SEARCH_PARTS = 8

MAX_PAGE_BYTES: Final = 2**20
"""Of a page's tasks as JSON; a page of one task may hold any."""
TASK_OVERHEAD: Final = 300
"""Bytes, at most, of a task as JSON without its title, its description and its owner's id."""
_ALWAYS_FIT: Final = MAX_PAGE_BYTES // (TASK_OVERHEAD + 6 * (MAX_TITLE + MAX_DESCRIPTION + MAX_USER_ID))
"""Tasks of any length: no character takes more than six bytes."""


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


def is_page_size(_: object, __: object, value: int) -> None:
    """Validate the size of a page, as attrs calls it.

    Raises:
        InvalidField: it is out of range.
    """
    if not 1 <= value <= MAX_PAGE:
        raise InvalidField("limit", f"must be a whole number from 1 to {MAX_PAGE}")


def _is_search_text(_: object, __: object, value: str) -> None:
    if len(value) > MAX_SEARCH_TEXT:
        raise InvalidField("q", f"must have at most {MAX_SEARCH_TEXT} characters")
    if has_control_characters(value):
        raise InvalidField("q", "must not contain control characters")
    if len(search_parts(value)) > MAX_SEARCH_PARTS:
        raise InvalidField(
            "q", f"must have at most {MAX_SEARCH_PARTS} words: leave some out, or put a phrase into quotation marks"
        )


def _folded_parts(query: "TaskQuery") -> tuple[str, ...]:
    """Each once, the longest first: what is rarest decides most tasks at once."""
    return tuple(sorted({fold(part) for part in search_parts(query.text)}, key=lambda part: (-len(part), part)))


def _fits_order(query: "TaskQuery", _: object, value: bool) -> None:  # noqa: FBT001  (as attrs calls it)
    if value and query.order is not Order.UPDATED_LAST_FIRST:
        raise InvalidField("deleted", "deleted tasks are listed by their deletion only, the last one first")


@frozen(kw_only=True)
class TaskQuery:
    """Filter, order, size and start of a page.

    Raises:
        InvalidField: the limit or the search text is out of range, or the order is not that of deleted tasks.
    """

    completed: bool | None = None
    text: str = field(default="", validator=_is_search_text)
    """Words and quoted phrases, each of which the title or description must contain, ignoring case."""
    order: Order = Order.CREATED
    deleted: bool = field(default=False, validator=_fits_order)
    """Only deleted tasks, instead of all others: by their last change, which is their deletion."""
    limit: int = field(default=MAX_PAGE, validator=is_page_size)
    after: PageKey | None = None
    parts: tuple[str, ...] = field(init=False, default=Factory(_folded_parts, takes_self=True))
    """The parts of `text` as they are compared with `Task.search_text`; without any, every task matches."""

    @property
    def is_indexed(self) -> bool:
        """Whether the tasks of a page follow each other in an order that is stored; else the whole list may be read."""
        return not self.parts and (self.completed is None or not self.order.by_update)

    def finds(self, task: Task) -> bool:
        """Whether every part occurs in the task."""
        return not self.parts or all(map(task.search_text.__contains__, self.parts))

    def selects(self, task: Task) -> bool:
        """Whether the task passes all filters."""
        is_wanted = (task.deleted_at is not None) == self.deleted and self.completed in {None, task.completed}
        return is_wanted and self.finds(task)


@frozen
class TaskPage:
    """Tasks of a list at one revision."""

    tasks: tuple[Task, ...]
    revision: Revision
    next: PageKey | None
    """The position of the last task if more follow, else `None`."""

    @classmethod
    def from_rows(cls, found: tuple[Task, ...], query: TaskQuery, revision: Revision) -> Self:
        """Build a page from tasks that were read with a limit of one more than the page's.

        The page ends before the task with which it would exceed MAX_PAGE_BYTES; so there may be fewer than the limit
        although more follow.
        """
        tasks = found[: min(query.limit, fitting(found))]
        more = len(found) > len(tasks)
        return cls(tasks, revision, PageKey.of(tasks[-1], query.order) if more else None)


def text_size(task: Task) -> int:
    """Bytes of the task's texts as JSON."""
    return json_size(task.title) + (json_size(task.description) if task.description else 0)


def fitting(tasks: Sequence[Task]) -> int:
    """How many of these tasks, the first of them, MAX_PAGE_BYTES allows; at least one."""
    if len(tasks) <= _ALWAYS_FIT:
        return len(tasks)
    each = TASK_OVERHEAD + json_size(tasks[0].owner)
    size = 0
    for count, task in enumerate(tasks):
        size += each + text_size(task)
        if size > MAX_PAGE_BYTES:
            return max(count, 1)
    return len(tasks)


@frozen
class NotModified:
    """The list is at a revision that the caller already has."""

    revision: Revision
