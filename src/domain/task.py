"""A task: what always holds for one, and what can happen to it."""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, NewType, Self
from uuid import UUID

from attrs import Attribute, evolve, field, frozen

from domain.errors import InvalidField, RevisionMismatch
from domain.identity import UserId
from domain.task_list import ANY_REVISION, Revision, Revisions
from domain.text import fold, is_storable

TaskId = NewType("TaskId", UUID)
"""A UUID, version 7: ids sort by creation."""

MAX_TITLE = 255
MAX_DESCRIPTION = 2000


class Unset(Enum):
    """Stands where a change says nothing, so that `None` can say "clear it"."""

    UNSET = "keep"


UNSET: Final = Unset.UNSET


def _is_title(_: Any, __: Any, value: str) -> None:
    if not value:
        raise InvalidField("title", "must not be blank")
    _ensure_text("title", value, most=MAX_TITLE)


def _is_title_or_kept(_: Any, __: Any, value: str | Unset) -> None:
    if isinstance(value, str):
        _is_title(_, __, value)


def _is_description(_: Any, __: Any, value: str | Unset | None) -> None:
    if isinstance(value, str):
        _ensure_text("description", value, most=MAX_DESCRIPTION)


def _ensure_text(name: str, value: str, *, most: int) -> None:
    if len(value) > most:
        raise InvalidField(name, f"takes at most {most} characters")
    if not is_storable(value):
        raise InvalidField(name, "takes neither NUL nor lone surrogates")


def _trimmed(text: str) -> str:
    return text.strip()


def _trimmed_or_kept(text: str | Unset) -> str | Unset:
    return text.strip() if isinstance(text, str) else text


def _is_utc(_: Any, attribute: "Attribute[Any]", value: datetime | None) -> None:
    if value is not None and value.tzinfo is not UTC and value.utcoffset() != timedelta(0):
        raise InvalidField(attribute.name, "takes an instant in UTC")


@frozen(kw_only=True)
class TaskChange:
    """What shall be different: only the members that are there (RFC 7396).

    Raises:
        InvalidField: a member breaks the rule that it has in a task.
    """

    title: str | Unset = field(default=UNSET, converter=_trimmed_or_kept, validator=_is_title_or_kept)
    description: str | Unset | None = field(default=UNSET, validator=_is_description)
    completed: bool | Unset = UNSET


@frozen(kw_only=True)
class Task:
    """Something a person means to do.

    Raises:
        InvalidField: a member breaks its rule; lengths count Unicode code points, the title is trimmed first.
    """

    id: TaskId
    owner: UserId
    title: str = field(converter=_trimmed, validator=_is_title)
    description: str | None = field(default=None, validator=_is_description)
    completed: bool = False
    created_at: datetime = field(validator=_is_utc)
    updated_at: datetime = field(validator=_is_utc)
    deleted_at: datetime | None = field(default=None, validator=_is_utc)
    """When set, this is a tombstone: it looks like no task at all."""
    revision: Revision = Revision(0)
    """The list's revision at this task's last change; 0 until it was stored."""

    @classmethod
    def new(cls, *, id: TaskId, owner: UserId, title: str, description: str | None, at: datetime) -> Self:  # noqa: A002
        """A task that nobody has begun."""
        return cls(id=id, owner=owner, title=title, description=description, created_at=at, updated_at=at)

    def changed(self, change: TaskChange, *, at: datetime) -> Self:
        """This task with the change applied, or the very same one when nothing would differ."""
        wanted = {
            name: value
            for name in ("title", "description", "completed")
            if (value := getattr(change, name)) is not UNSET
        }
        changed = evolve(self, **wanted)
        return self if changed == self else evolve(changed, updated_at=self._later(at))

    def toggled(self, *, at: datetime) -> Self:
        """Done becomes open, open becomes done."""
        return self.changed(TaskChange(completed=not self.completed), at=at)

    def deleted(self, *, at: datetime) -> Self:
        """The tombstone of this task."""
        return evolve(self, updated_at=self._later(at), deleted_at=self._later(at))

    def restored(self, *, at: datetime) -> Self:
        """The task that this tombstone was, or the very same one when it is not deleted."""
        return self if self.deleted_at is None else evolve(self, updated_at=self._later(at), deleted_at=None)

    def stored(self, revision: Revision) -> Self:
        """This task as a list has it, of which this was the change with that revision."""
        # By hand: attrs' evolve() takes twice as long, and each change of a list comes by here.
        return type(self)(
            id=self.id,
            owner=self.owner,
            title=self.title,
            description=self.description,
            completed=self.completed,
            created_at=self.created_at,
            updated_at=self.updated_at,
            deleted_at=self.deleted_at,
            revision=revision,
        )

    def mentions(self, text: str) -> bool:
        """Whether title or description contains the text, whatever the case."""
        return fold(text) in self.search_text

    @property
    def search_text(self) -> str:
        """What a search looks at."""
        return fold(f"{self.title}\n{self.description or ''}")

    def ensure_revision(self, expected: Revisions | None) -> None:
        """Refuse to go on from a state the client has not seen; `None` expects nothing.

        A tombstone bears the revision of its deletion, but "any" asks for something to be seen (RFC 9110 §13.1.1).

        Raises:
            RevisionMismatch: this task's revision is none of those expected.
        """
        if expected is None:
            return
        wants_a_living_one = expected == ANY_REVISION
        if self.revision not in expected or (wants_a_living_one and self.deleted_at is not None):
            raise RevisionMismatch

    def _later(self, at: datetime) -> datetime:
        """That instant; machines' clocks differ, but a task's own time never runs backwards."""
        return max(at, self.updated_at)
