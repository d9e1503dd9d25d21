"""One user's list as the consistency boundary: its revision, and the pages one reads of it."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, NewType, Self

from attrs import field, frozen

from domain.errors import InvalidField
from domain.text import has_control_characters

if TYPE_CHECKING:
    from domain.task import Task, TaskId

Revision = NewType("Revision", int)
"""How often a list has changed. A task bears the revision of its last change; 0 is before the first."""

MAX_PAGE = 1000
MAX_SEARCH_TEXT = 255


@frozen
class Revisions:
    """The revisions that whoever asks says it knows; `None` stands for any (RFC 9110 §13.1, `*`)."""

    known: frozenset[Revision] | None

    def __contains__(self, revision: Revision) -> bool:
        return self.known is None or revision in self.known


ANY_REVISION = Revisions(None)


class Order(Enum):
    """How a list is sorted. Ids break ties, and ids sort by creation."""

    CREATED = "created_at"
    CREATED_LAST_FIRST = "-created_at"
    UPDATED = "updated_at"
    UPDATED_LAST_FIRST = "-updated_at"

    @property
    def by_update(self) -> bool:
        """Whether the time of the last change sorts, rather than that of creation."""
        return self in {Order.UPDATED, Order.UPDATED_LAST_FIRST}

    @property
    def descending(self) -> bool:
        """Whether the newest comes first."""
        return self in {Order.CREATED_LAST_FIRST, Order.UPDATED_LAST_FIRST}


@frozen
class PageKey:
    """A task's place in an order: where the next page begins is just behind it."""

    at: datetime
    task_id: "TaskId"

    @classmethod
    def of(cls, task: "Task", order: Order) -> Self:
        """Where this task stands in that order."""
        return cls(task.updated_at if order.by_update else task.created_at, task.id)

    def key(self) -> tuple[datetime, int]:
        """What sorts: the instant, then the id."""
        return self.at, self.task_id.int


def _is_page_size(_: object, __: object, value: int) -> None:
    if not 1 <= value <= MAX_PAGE:
        raise InvalidField("limit", f"takes a whole number from 1 to {MAX_PAGE}")


def _is_search_text(_: object, __: object, value: str) -> None:
    if len(value) > MAX_SEARCH_TEXT:
        raise InvalidField("q", f"takes at most {MAX_SEARCH_TEXT} characters")
    if has_control_characters(value):
        raise InvalidField("q", "takes no control characters")


@frozen(kw_only=True)
class TaskQuery:
    """Which tasks, in which order, how many, and behind which one.

    Raises:
        InvalidField: the limit or the text is out of range.
    """

    completed: bool | None = None
    text: str = field(default="", validator=_is_search_text)
    """What title or description must contain, whatever the case; empty asks for nothing."""
    order: Order = Order.CREATED
    limit: int = field(default=MAX_PAGE, validator=_is_page_size)
    after: PageKey | None = None


@frozen
class TaskPage:
    """Some tasks of a list, as they stood at one revision."""

    tasks: "tuple[Task, ...]"
    revision: Revision
    next: PageKey | None
    """The last task's place when more follow; else `None`."""

    @classmethod
    def from_rows(cls, found: "tuple[Task, ...]", query: TaskQuery, revision: Revision) -> Self:
        """Make a page of what was found when one task more than the limit was asked for."""
        tasks = found[: query.limit]
        more = len(found) > query.limit
        return cls(tasks, revision, PageKey.of(tasks[-1], query.order) if more else None)


@frozen
class NotModified:
    """The list is at a revision that whoever asked knows."""

    revision: Revision
