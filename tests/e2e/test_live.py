"""Every window shows the list as it is: changes, sign-outs and ended sessions of others arrive by themselves."""

import time

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, another, requests
from tests.support.frontend import Person
from tests.support.pages import TasksPage, is_expired, notice, problem
from tests.support.service_under_pages import Api


def test_windows_and_devices_follow_each_other(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    here, there = at_tasks(alice), at_tasks(alice)
    tab = TasksPage(another(here.page)).open()
    lists = requests(there.page, lambda request: "/tasks?" in request.url)
    here.add("one", "two")
    for other in (there, tab):
        other.reads("two", "one")
    there.tick("one")
    expect(tab.check("one")).to_be_checked()
    tab.edit("two").change("two!", description="more")
    here.reads("two!", "one")
    expect(here.row("two!")).to_contain_text("more")
    here.delete("one")
    there.reads("two!")
    notice(here.page).get_by_role("button", name="Undo").click()
    there.reads("two!", "one")
    tasks_of(alice).add("from a program")
    for window in (here, there, tab):
        window.reads("from a program", "two!", "one")
    assert lists == []


def test_a_change_elsewhere_arrives_within_seconds(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks = at_tasks(alice)
    stored = tasks_of(alice)
    stored.add("first")
    tasks.reads("first")
    began = time.monotonic()
    stored.add("second")
    tasks.reads("second", "first")
    assert time.monotonic() - began < 4, "polled, not followed: a poll takes 5 seconds"


@pytest.mark.parametrize("path", ["/tasks", "/account"])
def test_a_session_that_ended_elsewhere_clears_the_page_at_once(
    windows: Windows, tasks_of: TasksOf, alice: Person, path: str
) -> None:
    tasks_of(alice).add("Alice's secret")
    page = windows.open(alice, is_far=True)
    TasksPage(page).open()
    if path == "/account":
        page.get_by_role("link", name="Account").click()
        expect(page.get_by_text("Current session")).to_be_visible()
    alice.elsewhere().sign_in().revoke_others()
    is_expired(page)
    assert "secret" not in page.content()


def test_a_task_deleted_elsewhere_leaves_its_editor_open(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    task, *_ = stored.add("one", "two")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("my text")
    stored.delete(task)
    expect(problem(tasks.page).filter(has_text="This task was deleted elsewhere")).to_be_visible()
    expect(editor.title).to_have_value("my text")
    expect(editor.title).to_be_focused()


def test_a_text_changed_elsewhere_does_not_replace_the_one_being_typed(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    task, *_ = stored.add("one", "two")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("mine")
    stored.change(task, title="theirs")
    stored.add("three")
    tasks.reads("three", "two")
    expect(editor.title).to_have_value("mine")
    editor.press("Save")
    expect(editor.conflict).to_contain_text("theirs")


def test_after_an_outage_only_what_has_changed_is_read(
    at_tasks: Opens, api: Api, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    tasks = at_tasks(alice).reads("one")
    lists = requests(tasks.page, lambda request: "/tasks?" in request.url)
    api.stop()
    api.start()
    stored.add("two")
    tasks.reads("two", "one")
    assert lists == []


def test_a_tab_that_was_hidden_reads_what_has_changed(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    tasks = TasksPage(windows.open(alice)).open()
    lists = requests(tasks.page, lambda request: "/tasks?" in request.url)
    follows = requests(tasks.page, lambda request: request.url.endswith("/tasks/events"))
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
    }"""
    tasks.page.evaluate("performance.now = (now => () => now.call(performance) + offset)(performance.now); offset = 0")
    tasks.page.evaluate(hide, arg=True)
    tasks.page.evaluate("offset = 60_000")
    with tasks.page.expect_request("**/tasks/events"):
        tasks.page.evaluate(hide, arg=False)
    stored.add("two")
    tasks.reads("two", "one")
    assert lists == []
    assert "last-event-id" in follows[-1].headers
