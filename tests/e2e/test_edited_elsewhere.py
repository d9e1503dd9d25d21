import pytest
from attrs import frozen
from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.frontend import Person
from tests.support.pages import Editor, TasksPage
from tests.support.service_under_pages import Tasks


@frozen
class Conflict:
    """A stale edit that was refused, because the same task was changed elsewhere."""

    here: TasksPage
    editor: Editor
    kept: Tasks


@pytest.fixture
def conflict(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> Conflict:
    kept = tasks_of(alice)
    [task] = kept.add("Buy milk")
    here = at_tasks(alice)
    editor = here.edit("Buy milk")
    kept.change(task, title="Buy oat milk", description="One litre")
    editor.save("Buy rice milk")
    expect(editor.conflict).to_be_visible()
    return Conflict(here, editor, kept)


def test_of_two_windows_the_slower_one_shows_what_the_other_has_saved(at_tasks: Opens, alice: Person) -> None:
    here, there = at_tasks(alice).add("Buy milk"), at_tasks(alice)
    editor = here.edit("Buy milk")
    there.edit("Buy milk").change("Buy oat milk", description="One litre")
    editor.save("Buy rice milk")
    expect(editor.conflict).to_contain_text("Buy oat milk")
    expect(editor.conflict).to_contain_text("One litre")
    expect(editor.title).to_have_value("Buy rice milk")
    there.open().reads("Buy oat milk")
    editor.press("Save mine instead")
    editor.is_gone()
    there.open().reads("Buy rice milk")


def test_a_stale_edit_can_be_saved_in_spite_of_the_other(conflict: Conflict) -> None:
    conflict.editor.press("Save mine instead")
    conflict.editor.is_gone()
    conflict.here.reads("Buy rice milk")
    assert conflict.kept.titles() == ["Buy rice milk"]


def test_a_stale_edit_can_be_given_up_for_the_other(conflict: Conflict) -> None:
    conflict.editor.press("Keep what is there")
    conflict.editor.is_gone()
    conflict.here.reads("Buy oat milk")
    assert conflict.kept.titles() == ["Buy oat milk"]


def test_a_task_that_was_only_ticked_elsewhere_is_no_conflict(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    kept = tasks_of(alice)
    [task] = kept.add("Buy milk")
    tasks = at_tasks(alice)
    editor = tasks.edit("Buy milk")
    kept.change(task, completed=True)
    editor.change("Buy oat milk")
    expect(tasks.check("Buy oat milk")).to_be_checked()
    assert [(task["title"], task["completed"]) for task in kept.all()] == [("Buy oat milk", True)]


def test_a_second_change_elsewhere_is_shown_as_the_first_was(conflict: Conflict) -> None:
    expect(conflict.editor.conflict).to_contain_text("Buy oat milk")
    [task] = conflict.kept.all()
    conflict.kept.change(task, title="Buy goat milk")
    conflict.editor.press("Save mine instead")
    expect(conflict.editor.conflict).to_contain_text("Buy goat milk")
    conflict.editor.press("Save mine instead")
    conflict.editor.is_gone()
    assert conflict.kept.titles() == ["Buy rice milk"]


def test_a_task_that_was_deleted_elsewhere_is_not_saved_into_nothing(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    here, there = at_tasks(alice), at_tasks(alice)
    editor = here.edit("Buy milk")
    there.delete("Buy milk")
    editor.save("Buy rice milk")
    expect(here.page.get_by_role("alert").filter(has_text="“Buy milk” was not changed.")).to_be_visible()
    here.reads()


def test_a_task_that_was_deleted_in_two_windows_is_simply_gone(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    here, there = at_tasks(alice), at_tasks(alice)
    there.delete("Buy milk")
    here.page.get_by_role("button", name="Delete: Buy milk").click()
    here.reads()
    expect(here.page.get_by_role("alert").filter(has_text="not")).to_have_count(0)
