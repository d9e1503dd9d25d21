"""The task entity: its invariants and operations, and the revision that each change takes."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, NewType, Self
from uuid import UUID

from attrs import evolve, field, frozen

from domain.errors import InvalidField, RevisionMismatch
from domain.identity import UserId
from domain.text import fold, has_visible_character, is_storable

TaskId = NewType("TaskId", UUID)
"""A UUID, version 7: IDs sort by creation."""

Revision = NewType("Revision", int)
"""The number of changes of a list. A task has the revision of its last change; 0 is before the first change."""

MAX_TITLE = 255
MAX_DESCRIPTION = 2000


@frozen
class Revisions:
    """A set of revisions, from an entity-tag condition; `None` matches any (RFC 9110 §13.1, `*`)."""

    known: frozenset[Revision] | None

    def __contains__(self, revision: Revision) -> bool:
        return self.known is None or revision in self.known

    @property
    def latest(self) -> Revision:
        """The latest of them that is named; 0 where none is."""
        return max(self.known or (), default=Revision(0))


ANY_REVISION = Revisions(None)
NO_REVISION = Revision(0)
"""Of a list in which nothing was ever stored."""


class Unset(Enum):
    """Marks a member that a change leaves alone, because `None` clears it."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


def _ensure_title(title: str) -> None:
    if not title:
        raise InvalidField("title", "must not be blank")
    _ensure_text("title", title, MAX_TITLE)


def _ensure_visible(title: str) -> None:
    """Of new and changed titles only: titles that were stored before this rule must stay readable."""
    if not has_visible_character(title):
        raise InvalidField("title", "must have a visible character")


def _ensure_text(name: str, value: str, maximum: int) -> None:
    if len(value) > maximum:
        raise InvalidField(name, f"must have at most {maximum} characters")
    if not is_storable(value):
        raise InvalidField(name, "must not contain NUL or lone surrogates")


def _ensure_utc(name: str, value: datetime) -> None:
    if value.utcoffset() != timedelta(0):
        raise InvalidField(name, "must be an instant in UTC")


def _trimmed(text: str) -> str:
    return text.strip()


def _trimmed_or_unset(text: str | Unset) -> str | Unset:
    return text.strip() if isinstance(text, str) else text


def _is_title_or_unset(_: Any, __: Any, value: str | Unset) -> None:
    if isinstance(value, str):
        _ensure_title(value)
        _ensure_visible(value)


def _is_description_or_unset(_: Any, __: Any, value: str | Unset | None) -> None:
    if isinstance(value, str):
        _ensure_text("description", value, MAX_DESCRIPTION)


@frozen(kw_only=True)
class TaskChange:
    """New values for some members of a task (RFC 7396).

    Raises:
        InvalidField: a value violates the rule of its member; a title needs a visible character.
    """

    title: str | Unset = field(default=UNSET, converter=_trimmed_or_unset, validator=_is_title_or_unset)
    description: str | Unset | None = field(default=UNSET, validator=_is_description_or_unset)
    completed: bool | Unset = UNSET


@frozen(slots=False)
class Task:
    """One item of a user's list.

    Lists are many tasks, each made anew at every read. So the rules are asked in one place instead of by validators,
    and there are no slots, which attrs fills slowly when a class is frozen: both together halve the cost.

    Raises:
        InvalidField: a value violates the rule of its member. Lengths count Unicode code points; the title is
            trimmed first. Whether a title has a visible character is asked of new and changed titles only.
    """

    owner: UserId
    id: TaskId
    title: str = field(converter=_trimmed)
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    """If set, this is a tombstone and reads treat it as missing."""
    revision: Revision = Revision(0)
    """The list's revision at this task's last change; 0 until it is stored."""

    def __attrs_post_init__(self) -> None:
        title, description = self.title, self.description or ""
        text = title + description
        is_usual = (
            0 < len(title) <= MAX_TITLE
            and len(description) <= MAX_DESCRIPTION
            and text.isascii()
            and "\0" not in text
            and self.created_at.tzinfo is UTC
            and self.updated_at.tzinfo is UTC
            and self.deleted_at is None
        )
        if not is_usual:  # all rules again, one by one, at three times the cost
            self._ensure_valid()

    def _ensure_valid(self) -> None:
        _ensure_title(self.title)
        if self.description is not None:
            _ensure_text("description", self.description, MAX_DESCRIPTION)
        _ensure_utc("created_at", self.created_at)
        _ensure_utc("updated_at", self.updated_at)
        if self.deleted_at is not None:
            _ensure_utc("deleted_at", self.deleted_at)

    @classmethod
    def new(cls, *, id: TaskId, owner: UserId, title: str, description: str | None, at: datetime) -> Self:  # noqa: A002
        """Create an open task.

        Raises:
            InvalidField: besides the rules of all tasks, the title has no visible character.
        """
        new = cls(owner, id, title, description, completed=False, created_at=at, updated_at=at)
        _ensure_visible(new.title)
        return new

    def changed(self, change: TaskChange, *, at: datetime) -> Self:
        """Return the task with the change applied, or this same object if nothing would differ."""
        wanted = {
            name: value
            for name in ("title", "description", "completed")
            if (value := getattr(change, name)) is not UNSET
        }
        changed = evolve(self, **wanted)
        return self if changed == self else evolve(changed, updated_at=self._later(at))

    def toggled(self, *, at: datetime) -> Self:
        """Return the task with `completed` inverted."""
        return self.changed(TaskChange(completed=not self.completed), at=at)

    def deleted(self, *, at: datetime) -> Self:
        """Return the tombstone of this task."""
        return evolve(self, updated_at=self._later(at), deleted_at=self._later(at))

    def restored(self, *, at: datetime) -> Self:
        """Return the task without its deletion, or this same object if it is not deleted."""
        return self if self.deleted_at is None else evolve(self, updated_at=self._later(at), deleted_at=None)

    def stored(self, revision: Revision, at: datetime) -> Self:
        """Return the task with the revision and the instant of the change that stored it.

        Nothing but its restoration changes a tombstone, so one is stored when it is deleted.
        """
        # Not attrs' evolve(): that takes twice as long, and every write calls this.
        return type(self)(
            id=self.id,
            owner=self.owner,
            title=self.title,
            description=self.description,
            completed=self.completed,
            created_at=self.created_at,
            updated_at=at,
            deleted_at=None if self.deleted_at is None else at,
            revision=revision,
        )

    @property
    def search_text(self) -> str:
        """The folded text that a search matches against."""
        return fold(f"{self.title}\n{self.description or ''}")

    def ensure_revision(self, expected: Revisions | None) -> None:
        """Check a precondition; `None` means there is none.

        A tombstone has the revision of its deletion, but does not satisfy "any", which requires a visible task
        (RFC 9110 §13.1.1).

        Raises:
            RevisionMismatch: this task's revision is not an expected one.
        """
        if expected is None:
            return
        needs_live_task = expected == ANY_REVISION
        if self.revision not in expected or (needs_live_task and self.deleted_at is not None):
            raise RevisionMismatch

    def _later(self, at: datetime) -> datetime:
        """The instant, but never before the last change: clocks of machines differ, `updated_at` never decreases."""
        return max(at, self.updated_at)
