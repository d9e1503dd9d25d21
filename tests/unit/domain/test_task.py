from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidField, RevisionMismatch
from domain.identity import UserId
from domain.task import ANY_REVISION, Revision, Revisions, Task, TaskChange, TaskId
from tests.support.strategies import descriptions, instants, tasks, titles

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def task(title: str = "Buy milk", description: str | None = None) -> Task:
    return Task.new(id=TaskId(UUID(int=7)), owner=UserId("alice"), title=title, description=description, at=NOW)


def test_a_new_task_is_open_undeleted_and_not_yet_stored() -> None:
    new = task()
    assert (new.owner, new.title, new.description) == ("alice", "Buy milk", None)
    assert (new.completed, new.deleted_at, new.revision) == (False, None, 0)
    assert new.created_at == new.updated_at == NOW


def test_a_task_cannot_be_altered_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        task().title = "Something else"  # type: ignore[misc]  # that this is refused is what is shown


@given(titles)
def test_a_title_is_trimmed_and_otherwise_unchanged(title: str) -> None:
    assert task(title).title == title.strip()


@pytest.mark.parametrize("title", ["", " ", "\t\n", "\u3000"])
def test_a_blank_title_is_refused(title: str) -> None:
    with pytest.raises(InvalidField) as refused:
        task(title)
    assert (refused.value.field, refused.value.rule) == ("title", "must not be blank")


INVISIBLE = [
    "\u200b",
    "\u2060\u00ad",
    "\ufeff",
    "\u200e\u202e",
    "\u2800",
    "\u3164 \uffa0",
    "\x01",
    "\u115f\u1160",
    "\U000e0041",
]


@pytest.mark.parametrize("title", INVISIBLE)
def test_a_new_or_changed_title_has_a_visible_character(title: str) -> None:
    makers: list[Callable[[], object]] = [lambda: task(title), lambda: TaskChange(title=title)]
    for make in makers:
        with pytest.raises(InvalidField) as refused:
            make()
        assert (refused.value.field, refused.value.rule) == ("title", "must have a visible character")
    assert task(f"{title}x{title}").title.strip(title) == "x"


@pytest.mark.parametrize("title", INVISIBLE)
def test_a_task_whose_title_was_stored_before_that_rule_can_be_changed_otherwise(title: str) -> None:
    stored = evolve(task(), title=title)
    assert stored.toggled(at=LATER).title == title
    assert stored.deleted(at=LATER).restored(at=LATER).stored(Revision(3), LATER).title == title
    assert stored.changed(TaskChange(title="Seen"), at=LATER).title == "Seen"


def test_titles_and_descriptions_are_measured_in_code_points_after_trimming() -> None:
    assert task("😀" * 255).title == "😀" * 255
    assert task(" " * 300 + "x").title == "x"
    assert task(description="é" * 2000).description == "é" * 2000
    for words, most in (({"title": "x" * 256}, 255), ({"description": "x" * 2001}, 2000)):
        with pytest.raises(InvalidField) as refused:
            task(**words)
        assert (refused.value.field, refused.value.rule) == (*words, f"must have at most {most} characters")


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b", "\udfff"])
def test_text_that_cannot_be_stored_is_refused(bad: str) -> None:
    for words in ({"title": bad}, {"description": bad}):
        with pytest.raises(InvalidField) as refused:
            task(**words)
        assert (refused.value.field, refused.value.rule) == (*words, "must not contain NUL or lone surrogates")


@pytest.mark.parametrize("last_and_first", ["\ud7ff\ue000", "\x01"])
def test_the_neighbours_of_the_surrogates_are_valid_text(last_and_first: str) -> None:
    assert task(f"x{last_and_first}x").title == f"x{last_and_first}x"


def test_an_empty_description_is_a_description() -> None:
    assert not task(description="").description
    assert task(description="").description is not None


@pytest.mark.parametrize("member", ["created_at", "updated_at", "deleted_at"])
@pytest.mark.parametrize("instant", [NOW.replace(tzinfo=None), NOW.astimezone(timezone(timedelta(hours=1)))])
def test_instants_are_in_utc(member: str, instant: datetime) -> None:
    values: dict[str, Any] = {member: instant}
    with pytest.raises(InvalidField) as refused:
        evolve(task(), **values)
    assert (refused.value.field, refused.value.rule) == (member, "must be an instant in UTC")


def test_rules_hold_for_changed_tasks_too() -> None:
    with pytest.raises(InvalidField):
        task().changed(TaskChange(title=" "), at=LATER)


@pytest.mark.parametrize("members", [{"title": ""}, {"title": " "}, {"title": "x" * 256}, {"description": "x" * 2001}])
def test_a_change_that_violates_a_rule_is_refused(members: dict[str, str]) -> None:
    values: dict[str, Any] = members
    with pytest.raises(InvalidField) as refused:
        TaskChange(**values)
    assert [refused.value.field] == list(members)
    assert TaskChange(title=" x ", description=None).title == "x"


def test_a_change_touches_only_the_members_that_are_there() -> None:
    before = task(description="Two bottles")
    after = before.changed(TaskChange(title="Buy oat milk"), at=LATER)
    assert after == evolve(before, title="Buy oat milk", updated_at=LATER)


def test_none_clears_a_description_and_unset_keeps_it() -> None:
    before = task(description="Two bottles")
    assert before.changed(TaskChange(description=None), at=LATER).description is None
    assert before.changed(TaskChange(completed=True), at=LATER).description == "Two bottles"


@given(tasks, instants)
def test_a_change_without_effect_returns_the_same_object(before: Task, at: datetime) -> None:
    same = TaskChange(title=f"  {before.title} ", description=before.description, completed=before.completed)
    assert before.changed(same, at=at) is before
    assert before.changed(TaskChange(), at=at) is before


@given(tasks, instants, titles, descriptions, st.booleans())
def test_a_change_never_alters_what_the_server_sets(
    before: Task, at: datetime, title: str, description: str | None, completed: bool
) -> None:
    after = before.changed(TaskChange(title=title, description=description, completed=completed), at=at)
    assert (after.id, after.owner, after.created_at, after.revision, after.deleted_at) == (
        before.id,
        before.owner,
        before.created_at,
        before.revision,
        None,
    )
    assert (after.title, after.description, after.completed) == (title.strip(), description, completed)


@given(tasks, instants, instants)
def test_toggling_twice_restores_all_but_the_time(before: Task, first: datetime, second: datetime) -> None:
    toggled = before.toggled(at=first)
    assert toggled.completed is not before.completed
    again = toggled.toggled(at=second)
    assert evolve(again, updated_at=before.updated_at) == before


@given(tasks, instants)
def test_a_tasks_own_time_never_runs_backwards(before: Task, at: datetime) -> None:
    for after in (before.toggled(at=at), before.deleted(at=at)):
        assert after.updated_at == max(at, before.updated_at)


def test_a_tombstone_has_the_time_of_its_deletion() -> None:
    tombstone = task().deleted(at=LATER)
    assert (tombstone.deleted_at, tombstone.updated_at) == (LATER, LATER)
    early = task().deleted(at=NOW - timedelta(days=1))
    assert early.deleted_at == NOW


@given(tasks, instants, instants)
def test_a_restored_task_is_what_was_deleted_but_for_the_time(before: Task, first: datetime, second: datetime) -> None:
    tombstone = before.deleted(at=first)
    restored = tombstone.restored(at=second)
    assert restored.updated_at == max(second, tombstone.updated_at)
    assert evolve(restored, updated_at=before.updated_at) == before


@given(tasks, instants)
def test_restoring_a_task_that_is_not_deleted_returns_the_same_object(before: Task, at: datetime) -> None:
    assert before.restored(at=at) is before


def test_a_precondition_holds_for_any_or_for_the_very_revision() -> None:
    stored = evolve(task(), revision=Revision(7))
    stored.ensure_revision(ANY_REVISION)
    stored.ensure_revision(None)
    stored.ensure_revision(Revisions(frozenset({Revision(1), Revision(7)})))
    for known in (frozenset({Revision(6)}), frozenset[Revision]()):
        with pytest.raises(RevisionMismatch):
            stored.ensure_revision(Revisions(known))


def test_a_tombstone_matches_the_revision_of_its_deletion_but_not_any() -> None:
    tombstone = evolve(task().deleted(at=LATER), revision=Revision(7))
    tombstone.ensure_revision(None)
    tombstone.ensure_revision(Revisions(frozenset({Revision(7)})))
    for expected in (ANY_REVISION, Revisions(frozenset({Revision(6)})), Revisions(frozenset())):
        with pytest.raises(RevisionMismatch):
            tombstone.ensure_revision(expected)


def test_a_stored_task_differs_in_its_revision_and_in_when_it_was_changed() -> None:
    done = task().changed(TaskChange(title="Bread", description="Two", completed=True), at=LATER)
    latest = LATER + timedelta(seconds=1)
    assert done.stored(Revision(7), latest) == evolve(done, revision=Revision(7), updated_at=latest)
    gone = done.deleted(at=LATER)
    assert gone.stored(Revision(7), latest) == evolve(gone, revision=Revision(7), updated_at=latest, deleted_at=latest)
