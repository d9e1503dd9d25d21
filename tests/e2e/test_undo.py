"""Changes can be undone, one after the other, by the keyboard and by a button that is near."""

import json
import re

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, another
from tests.support.frontend import Person
from tests.support.pages import TasksPage, is_at_login, is_expired, notice, sign_in, sign_out
from tests.support.service import eventually


def test_several_changes_of_every_kind_are_undone(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one", "two", "three")
    tasks = at_tasks(alice)
    tasks.tick("one")
    tasks.edit("two").change("two!", description="more")
    tasks.delete("three")
    tasks.delete("one")
    tasks.reads("two!")
    press = tasks.page.keyboard.press
    press("Control+z")
    tasks.reads("two!", "one")
    press("Control+z")
    tasks.reads("three", "two!", "one")
    press("Control+z")
    tasks.reads("three", "two", "one")
    press("Control+z")
    expect(tasks.check("one")).not_to_be_checked()
    press("Control+z")  # nothing is left
    tasks.open().reads("three", "two", "one")
    assert [(task["completed"], task["description"]) for task in stored.all()] == [(False, None)] * 3


def test_the_button_is_near_however_long_the_list_is(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add(*(f"Task {number}" for number in range(60)))
    tasks = at_tasks(alice)
    tasks.delete("Task 5")
    expect(notice(tasks.page)).to_contain_text("was deleted.")  # its button takes the place of the other one
    tasks.page.get_by_role("link", name="Account").focus()
    undo = tasks.page.get_by_role("button", name="Undo")
    for _ in range(8):
        if undo.evaluate("button => button === document.activeElement"):
            break
        tasks.page.keyboard.press("Shift+Tab")
    expect(undo).to_be_focused()
    tasks.page.keyboard.press("Enter")
    expect(tasks.check("Task 5")).to_be_visible()
    tasks.tick("Task 7")
    expect(undo).to_have_count(1)
    undo.click()
    expect(tasks.check("Task 7")).not_to_be_checked()


def test_an_added_task_is_undone_before_what_was_changed_before(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    tasks.delete("one")
    tasks.add("three")
    tasks.new.press("Control+z")
    tasks.reads("two")
    tasks.new.press("Control+z")
    tasks.reads("two", "one")


def test_a_change_can_be_undone_while_it_is_on_its_way(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one", "two")
    before = [(task["title"], task["completed"]) for task in stored.all()]
    tasks = at_tasks(alice)
    page = tasks.page
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    for key in ("Delete", "Space"):
        tasks.check("one").focus()
        page.keyboard.press(key)
        page.keyboard.press("Control+z")
        tasks.reads("two", "one")
        expect(tasks.check("one")).not_to_be_checked()
    tasks.new.fill("three")
    tasks.new.press("Enter")
    tasks.reads("three", "two", "one")
    tasks.new.press("Control+z")
    page.context.set_offline(False)
    expect(page.get_by_text("You are offline.")).to_have_count(0)
    tasks.reads("two", "one")
    page.wait_for_function("document.querySelectorAll('[data-pending]').length === 0")
    eventually(lambda: [(task["title"], task["completed"]) for task in stored.all()] == before)
    tasks.open().reads("two", "one")


def test_a_change_that_fails_leaves_nothing_to_undo(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    tasks.tick("one")
    tasks.page.route("**/tasks/*", lambda route: route.fulfill(status=500) if is_delete(route) else route.fallback())
    tasks.page.get_by_role("button", name="Delete: two").click()
    expect(notice(tasks.page)).to_contain_text("Could not delete “two”.")
    tasks.page.keyboard.press("Control+z")
    expect(tasks.check("one")).not_to_be_checked()


def is_delete(route: Route) -> bool:
    return route.request.method == "DELETE"


@pytest.mark.parametrize("title", ["$& and $'", "\u202eevil", "{}"])
def test_what_would_be_undone_is_named(title: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add(title)
    tasks = at_tasks(alice)
    tasks.tick(title)
    undo = tasks.page.get_by_role("button", name="Undo")
    expect(undo).to_have_attribute("title", f"“\u2068{title}\u2069” is done.")


def test_typing_is_undone_by_the_field_itself(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    tasks.delete("one")
    tasks.new.press_sequentially("text")
    tasks.new.press("Control+z")
    tasks.reads("two")


def test_an_undo_does_not_overwrite_a_change_of_another_device(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("one")
    tasks = at_tasks(alice)
    tasks.edit("one").change("mine")
    stored.change(task, title="theirs")
    tasks.page.keyboard.press("Control+z")
    expect(notice(tasks.page)).to_contain_text("It was changed elsewhere since.")
    assert stored.titles() == ["theirs"]


def test_completed_tasks_are_cleared_and_brought_back_at_once(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    for task in stored.add("one", "two", "three")[:2]:
        stored.change(task, completed=True)
    tasks = at_tasks(alice)
    tasks.page.get_by_role("button", name="Clear 2 completed").click()
    expect(notice(tasks.page)).to_contain_text("2 tasks were deleted.")
    tasks.reads("three")
    tasks.page.get_by_role("button", name="Undo").click()
    tasks.reads("three", "two", "one")
    tasks.open().reads("three", "two", "one")


def test_all_tasks_can_be_downloaded(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add('Say "hello"', "=1+1")
    tasks = at_tasks(alice)
    tasks.page.get_by_role("link", name="Account").click()
    contents = {}
    for kind in ("JSON", "CSV"):
        with tasks.page.expect_download() as download:
            tasks.page.get_by_role("button", name=f"Download {kind}").click()
        contents[kind] = download.value.path().read_bytes().decode("utf-8-sig")
    assert [task["title"] for task in json.loads(contents["JSON"])["tasks"]] == ['Say "hello"', "=1+1"]
    assert re.findall('"Say ""hello"""|"\'=1[+]1"', contents["CSV"]) == ['"Say ""hello"""', '"\'=1+1"']


def test_deleted_tasks_are_listed_and_restored(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one", "two", "three")
    tasks = at_tasks(alice)
    tasks.delete("one")
    tasks.delete("two")
    tasks.choose("Deleted")
    trash = tasks.page.get_by_role("list", name="Deleted tasks").locator(".title > span")
    expect(trash).to_have_text(["two", "one"])
    tasks.page.get_by_role("button", name="Restore: one").click()
    expect(trash).to_have_text(["two"])
    TasksPage(tasks.page).choose("All").reads("three", "one")
    assert stored.titles() == ["three", "one"]


def test_the_trash_follows_the_list_is_searched_and_keeps_the_focus(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    one, two, three = stored.add("Buy milk, oat", "Buy rice", "Buy bread")
    tasks = at_tasks(alice)
    tasks.choose("Deleted")
    trash = tasks.page.get_by_role("list", name="Deleted tasks").locator(".title > span")
    for task in (one, two, three):
        stored.delete(task)
    expect(trash).to_have_text(["Buy bread", "Buy rice", "Buy milk, oat"])
    tasks.search.fill("oat buy")
    expect(trash).to_have_text(["Buy milk, oat"])
    tasks.search.fill("")
    tasks.page.get_by_role("button", name="Restore: Buy bread").press("Enter")
    expect(trash).to_have_text(["Buy rice", "Buy milk, oat"])
    expect(tasks.page.get_by_role("button", name="Restore: Buy rice")).to_be_focused()


def test_a_reload_keeps_what_can_be_undone(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one", "two", "three")
    tasks = at_tasks(alice)
    tasks.tick("one")
    tasks.edit("two").change("two!", description="more")
    tasks.add("four")
    tasks.delete("three")
    editor = tasks.edit("one")
    editor.title.fill("my text")
    editor.title.press("Escape")
    tasks.page.reload()
    tasks.shown().reads("four", "two!", "one")
    undo = tasks.page.get_by_role("button", name="Undo")
    undo.click()
    expect(editor.title).to_have_value("my text")
    editor.change("one")
    for titles in (["four", "three", "two!", "one"], ["three", "two!", "one"], ["three", "two", "one"]):
        tasks.page.reload()
        tasks.shown().page.keyboard.press("Control+z")
        tasks.reads(*titles)
    tasks.page.keyboard.press("Control+z")
    expect(tasks.check("one")).not_to_be_checked()
    tasks.page.wait_for_function("sessionStorage.length === 0")
    assert [(task["title"], task["completed"]) for task in stored.all()] == [
        ("three", False),
        ("two", False),
        ("one", False),
    ]


@pytest.mark.parametrize("how", ["sign-out", "sign-out in another tab", "end elsewhere"])
def test_what_can_be_undone_ends_with_the_session(how: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("a secret")
    tasks = at_tasks(alice)
    tasks.delete("a secret")
    if how == "sign-out":
        sign_out(tasks.page)
    elif how == "end elsewhere":
        alice.sign_out()
        is_expired(tasks.page)
    else:
        sign_out(TasksPage(another(tasks.page)).open().page)
        is_at_login(tasks.page)
    assert "a secret" not in tasks.page.evaluate("JSON.stringify(sessionStorage)")


def test_the_next_user_of_a_tab_undoes_nothing_of_another(
    windows: Windows, tasks_of: TasksOf, alice: Person, bob: Person
) -> None:
    """Even if the tab was at another site when the session ended, and so could not forget."""
    tasks_of(alice).add("a secret")
    page = windows.open(alice, is_far=True)
    TasksPage(page).open().delete("a secret")
    page.goto("about:blank")
    page.context.clear_cookies()
    sign_in(page, bob)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert "a secret" not in page.evaluate("JSON.stringify(sessionStorage)")
