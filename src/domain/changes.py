"""What has changed in a user's task list since a client last read it, a page at a time."""

from collections.abc import Sequence
from typing import Self

from attrs import field, frozen

from domain.errors import SyncTokenExpired
from domain.task import Revision, Task, TaskId
from domain.task_list import MAX_PAGE, MAX_PAGE_BYTES, TASK_OVERHEAD, is_page_size, text_size
from domain.text import json_size


@frozen
class SyncToken:
    """Up to which revision a client knows a list."""

    revision: Revision
    began: Revision | None = None
    """In the midst of a first sync: the list's revision when it began. The client never got what was deleted before."""

    @property
    def deletions_after(self) -> Revision:
        """The revision after which the client has to learn of deletions."""
        return self.revision if self.began is None else max(self.revision, self.began)

    def moved_to(self, revision: Revision) -> Self:
        """The token of a client that also knows what has changed up to a later revision."""
        return type(self)(revision, None if self.began is None or self.began <= revision else self.began)

    def ensure_known(self, *, revision: Revision, horizon: Revision) -> None:
        """Check that the list, at this revision and with this purge horizon, can still say what has changed since.

        Raises:
            SyncTokenExpired: tombstones that the client needs were purged, or the list never was at that revision.
        """
        if not horizon <= self.deletions_after <= revision:
            raise SyncTokenExpired


@frozen
class ChangesQuery:
    """From where on, and how many tasks and deletions at most.

    Raises:
        InvalidField: the limit is out of range.
    """

    since: SyncToken | None = None
    """`None`: everything that lives."""
    limit: int = field(default=MAX_PAGE, validator=is_page_size)


@frozen
class Deletion:
    """A task that is gone."""

    id: TaskId
    revision: Revision


Change = Task | Deletion
"""A task that was created or changed, as it is now, or one that is gone."""


@frozen
class Changes:
    """One page of changes in the order of their revisions, and the token for what follows."""

    found: tuple[Change, ...]
    token: SyncToken
    has_more: bool

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that were created or changed."""
        return tuple(one for one in self.found if isinstance(one, Task))

    @property
    def deleted(self) -> tuple[TaskId, ...]:
        """The ids of the tasks that are gone."""
        return tuple(one.id for one in self.found if isinstance(one, Deletion))

    @classmethod
    def from_found(cls, found: Sequence[Change], query: ChangesQuery, *, revision: Revision, horizon: Revision) -> Self:
        """Build a page from what follows the query's token in the order of revisions, read with a limit of one more.

        Nothing is missing when transactions overlap: revisions are taken under the list's lock, so whatever commits
        later has a higher one than all that was read.

        Raises:
            SyncTokenExpired: see SyncToken.
        """
        since = query.since or SyncToken(Revision(0), revision)
        since.ensure_known(revision=revision, horizon=horizon)
        page = found[: min(query.limit, _fitting(found))]
        has_more = len(found) > len(page)
        return cls(tuple(page), since.moved_to(page[-1].revision if has_more else revision), has_more)


def _fitting(found: Sequence[Change]) -> int:
    """How many of these, the first of them, MAX_PAGE_BYTES allows; at least one. A deletion counts as an empty task."""
    size = 0
    for count, one in enumerate(found):
        size += TASK_OVERHEAD
        if isinstance(one, Task):
            size += json_size(one.owner) + text_size(one)
        if size > MAX_PAGE_BYTES:
            return max(count, 1)
    return len(found)
