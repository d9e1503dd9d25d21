import pytest
from attrs import frozen
from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import Editor, TasksPage
from tests.support.service_under_pages import Tasks


@frozen
class Conflict:
    """An edit that was rejected, because the same task was changed elsewhere."""

    here: TasksPage
    editor: Editor
    stored: Tasks


@pytest.fixture
def conflict(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> Conflict:
    stored = tasks_of(alice)
    [task] = stored.add("Buy milk")
    here = at_tasks(alice)
    editor = here.edit("Buy milk")
    stored.change(task, title="Buy oat milk", description="One litre")
    editor.save("Buy rice milk")
    expect(editor.conflict).to_be_visible()
    return Conflict(here, editor, stored)


def test_the_later_of_two_windows_shows_what_the_other_has_saved(at_tasks: Opens, alice: Person) -> None:
    here, there = at_tasks(alice).add("Buy milk"), at_tasks(alice)
    editor = here.edit("Buy milk")
    there.edit("Buy milk").change("Buy oat milk", description="One litre")
    editor.save("Buy rice milk")
    expect(editor.conflict).to_contain_text("Buy oat milk")
    expect(editor.conflict).to_contain_text("One litre")
    expect(editor.title).to_have_value("Buy rice milk")
    there.open().reads("Buy oat milk")
    editor.press("Save my version")
    editor.is_gone()
    there.open().reads("Buy rice milk")


def test_a_conflicting_edit_can_overwrite_the_other_change(conflict: Conflict) -> None:
    conflict.editor.press("Save my version")
    conflict.editor.is_gone()
    conflict.here.reads("Buy rice milk")
    assert conflict.stored.titles() == ["Buy rice milk"]


def test_a_conflicting_edit_can_be_discarded(conflict: Conflict) -> None:
    conflict.editor.press("Discard my changes")
    conflict.editor.is_gone()
    conflict.here.reads("Buy oat milk")
    assert conflict.stored.titles() == ["Buy oat milk"]


def test_a_task_that_was_only_completed_elsewhere_is_not_a_conflict(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("Buy milk")
    tasks = at_tasks(alice)
    editor = tasks.edit("Buy milk")
    stored.change(task, completed=True)
    editor.change("Buy oat milk")
    expect(tasks.check("Buy oat milk")).to_be_checked()
    assert [(task["title"], task["completed"]) for task in stored.all()] == [("Buy oat milk", True)]


def test_a_second_change_elsewhere_is_a_conflict_again(conflict: Conflict) -> None:
    expect(conflict.editor.conflict).to_contain_text("Buy oat milk")
    [task] = conflict.stored.all()
    conflict.stored.change(task, title="Buy goat milk")
    conflict.editor.press("Save my version")
    expect(conflict.editor.conflict).to_contain_text("Buy goat milk")
    conflict.editor.press("Save my version")
    conflict.editor.is_gone()
    assert conflict.stored.titles() == ["Buy rice milk"]


def lose_events(tasks: TasksPage) -> None:
    """Let the page hear of nothing by itself from now on: what it has open is cut when it opens it anew."""
    for path in ("events", "changes"):
        tasks.page.route(f"**/tasks/{path}*", lambda route: route.abort())


def test_editing_a_task_that_was_deleted_elsewhere_unnoticed_shows_a_message(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("Buy milk")
    here = TasksPage(windows.open(alice))
    lose_events(here)
    here.open()
    editor = here.edit("Buy milk")
    stored.delete(task)
    editor.save("Buy rice milk")
    expect(here.page.get_by_role("alert").filter(has_text="Could not update “Buy milk”.")).to_be_visible()
    expect(editor.title).to_have_value("Buy rice milk")
    editor.press("Save")
    editor.is_gone()
    here.reads("Buy rice milk")


def test_deleting_a_task_that_was_deleted_elsewhere_unnoticed_shows_no_error(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("Buy milk")
    here = TasksPage(windows.open(alice))
    lose_events(here)
    here.open()
    stored.delete(task)
    here.page.get_by_role("button", name="Delete: Buy milk").click()
    here.reads()
    expect(here.page.get_by_role("alert").filter(has_text="not")).to_have_count(0)
