"""Changes of one's own that overtake each other: nothing of anybody's is lost, and nothing comes back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import APIResponse, Page, Route, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage, notice
from tests.support.service import eventually


def holding(page: Page, method: str) -> Callable[[], None]:
    """Keep the page's next calls of this method waiting; what it returns lets them go."""
    held: list[Route] = []
    is_open = False

    def hold(route: Route) -> None:
        if route.request.method != method or is_open:
            route.fallback()
        else:
            held.append(route)

    def let_go() -> None:
        nonlocal is_open
        is_open = True
        for route in held:
            route.fallback()

    page.route("**/tasks/**", hold)
    return let_go


def test_a_tick_and_an_edit_do_not_write_over_what_another_device_has_written(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    kept = tasks_of(alice)
    [task] = kept.add("one")
    tasks = at_tasks(alice)
    let_go = holding(tasks.page, "PATCH")
    tasks.check("one").click()
    editor = tasks.edit("one")
    editor.save("mine")
    kept.change(task, title="theirs")
    let_go()
    expect(editor.conflict).to_contain_text("theirs")
    expect(editor.title).to_have_value("mine")
    assert kept.titles() == ["theirs"]


def test_a_list_that_is_read_meanwhile_does_not_make_an_edit_write_over_what_it_brings(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    kept = tasks_of(alice)
    [task] = kept.add("one")
    tasks = TasksPage(windows.open(alice, has_clock=True)).open()
    answers: list[tuple[Route, APIResponse]] = []
    tasks.page.route("**/complete", lambda route: answers.append((route, route.fetch())))
    tasks.check("one").click()
    editor = tasks.edit("one")
    editor.save("mine")
    expect(tasks.page.get_by_role("button", name="Saving…")).to_be_visible()
    eventually(lambda: kept.all()[0]["completed"])
    kept.change(task, title="theirs")
    tasks.page.clock.set_fixed_time(datetime.now(UTC) + timedelta(seconds=30))  # so that the list counts as old
    with tasks.page.expect_response(lambda answer: "sort=" in answer.url):
        tasks.page.evaluate("() => window.dispatchEvent(new Event('visibilitychange'))")
    [(route, answer)] = answers
    route.fulfill(response=answer)
    expect(editor.conflict).to_contain_text("theirs")
    assert kept.titles() == ["theirs"]


def test_a_tick_and_an_edit_of_ones_own_are_both_kept(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    kept = tasks_of(alice)
    kept.add("one")
    tasks = at_tasks(alice)
    let_go = holding(tasks.page, "PATCH")
    tasks.check("one").click()
    editor = tasks.edit("one")
    editor.save("mine")
    let_go()
    editor.is_gone()
    expect(tasks.check("mine")).to_be_checked()
    assert [(task["title"], task["completed"]) for task in kept.all()] == [("mine", True)]


def test_a_deleted_task_does_not_come_back_with_a_late_answer(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    kept = tasks_of(alice)
    kept.add("one")
    tasks = at_tasks(alice)
    let_go = holding(tasks.page, "PATCH")
    tasks.check("one").focus()
    tasks.page.keyboard.press("Space")
    tasks.page.keyboard.press("Delete")
    let_go()
    expect(notice(tasks.page)).to_contain_text("“one” was deleted.")
    tasks.reads()
    assert kept.titles() == []


def test_a_save_that_is_pressed_twice_is_no_conflict(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    kept = tasks_of(alice)
    kept.add("one")
    tasks = at_tasks(alice)
    let_go = holding(tasks.page, "PUT")
    editor = tasks.edit("one")
    editor.title.fill("two")
    editor.title.press("Enter")
    expect(tasks.page.get_by_role("button", name="Saving…")).to_be_visible()
    editor.title.press("Enter")
    tasks.page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(editor.conflict).to_have_count(0)
    let_go()
    editor.is_gone()
    tasks.reads("two")
    assert kept.titles() == ["two"]


def test_a_task_that_is_being_edited_stays_whatever_is_searched_for(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("one", "other")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("half a thought")
    tasks.search.fill("other")
    tasks.reads("other")
    expect(editor.title).to_have_value("half a thought")
