"""Concurrent changes by one user: no change is lost, and no deleted task reappears."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import APIResponse, Page, Route, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage, notice
from tests.support.service import eventually


def holding(page: Page, method: str) -> Callable[[], None]:
    """Hold the page's requests with this method; the returned function releases them."""
    held: list[Route] = []
    is_open = False

    def hold(route: Route) -> None:
        if route.request.method != method or is_open:
            route.fallback()
        else:
            held.append(route)

    def release() -> None:
        nonlocal is_open
        is_open = True
        for route in held:
            route.fallback()

    page.route("**/tasks/**", hold)
    return release


def test_a_toggle_and_an_edit_do_not_overwrite_a_change_of_another_device(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("one")
    tasks = at_tasks(alice)
    release = holding(tasks.page, "PATCH")
    tasks.check("one").click()
    editor = tasks.edit("one")
    editor.save("mine")
    stored.change(task, title="theirs")
    release()
    expect(editor.conflict).to_contain_text("theirs")
    expect(editor.title).to_have_value("mine")
    assert stored.titles() == ["theirs"]


def test_an_edit_does_not_overwrite_a_change_that_a_refetch_has_loaded_meanwhile(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("one")
    tasks = TasksPage(windows.open(alice, has_clock=True)).open()
    responses: list[tuple[Route, APIResponse]] = []
    tasks.page.route("**/complete", lambda route: responses.append((route, route.fetch())))
    tasks.check("one").click()
    editor = tasks.edit("one")
    editor.save("mine")
    expect(tasks.page.get_by_role("button", name="Saving…")).to_be_visible()
    eventually(lambda: stored.all()[0]["completed"])
    stored.change(task, title="theirs")
    tasks.page.clock.set_fixed_time(datetime.now(UTC) + timedelta(seconds=30))  # so that the list counts as stale
    with tasks.page.expect_response(lambda response: "sort=" in response.url):
        tasks.page.evaluate("() => window.dispatchEvent(new Event('visibilitychange'))")
    [(route, response)] = responses
    route.fulfill(response=response)
    expect(editor.conflict).to_contain_text("theirs")
    assert stored.titles() == ["theirs"]


def test_a_toggle_and_an_edit_are_both_saved(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    tasks = at_tasks(alice)
    release = holding(tasks.page, "PATCH")
    tasks.check("one").click()
    editor = tasks.edit("one")
    editor.save("mine")
    release()
    editor.is_gone()
    expect(tasks.check("mine")).to_be_checked()
    assert [(task["title"], task["completed"]) for task in stored.all()] == [("mine", True)]


def test_a_deleted_task_does_not_reappear_with_a_late_response(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    tasks = at_tasks(alice)
    release = holding(tasks.page, "PATCH")
    tasks.check("one").focus()
    tasks.page.keyboard.press("Space")
    tasks.page.keyboard.press("Delete")
    release()
    expect(notice(tasks.page)).to_contain_text("“one” was deleted.")
    tasks.reads()
    assert stored.titles() == []


def test_saving_twice_is_not_a_conflict(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    tasks = at_tasks(alice)
    release = holding(tasks.page, "PUT")
    editor = tasks.edit("one")
    editor.title.fill("two")
    editor.title.press("Enter")
    expect(tasks.page.get_by_role("button", name="Saving…")).to_be_visible()
    editor.title.press("Enter")
    tasks.page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(editor.conflict).to_have_count(0)
    release()
    editor.is_gone()
    tasks.reads("two")
    assert stored.titles() == ["two"]


def test_a_task_that_is_being_edited_stays_visible_during_a_search(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("one", "other")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("unsaved text")
    tasks.search.fill("other")
    tasks.reads("other")
    expect(editor.title).to_have_value("unsaved text")
