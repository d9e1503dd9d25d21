"""No text that a person has typed is lost, whatever happens to the page, the task or the session."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, another
from tests.support.frontend import Person
from tests.support.pages import (
    Editor,
    TasksPage,
    is_alive,
    is_at_login,
    is_expired,
    notice,
    problem,
    send_sign_in,
    sign_out,
)


def paste(page: Page, text: str) -> None:
    page.evaluate(
        """text => {
            const clipboardData = new DataTransfer()
            clipboardData.setData('text/plain', text)
            const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })
            document.activeElement.dispatchEvent(event)
        }""",
        text,
    )


@pytest.mark.parametrize("how", ["reload", "another page and back"])
def test_unsaved_texts_survive(how: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Buy milk", description="Two bottles")
    tasks = at_tasks(alice)
    tasks.new.fill("Book the train")
    tasks.page.get_by_role("button", name="With a description").click()
    tasks.page.get_by_label("Description to add").fill("before noon")
    editor = tasks.edit("Buy milk")
    editor.title.fill("Buy oat milk")
    editor.description.fill("Three\nbottles ")
    if how == "reload":
        tasks.page.reload()
    else:
        tasks.page.get_by_role("link", name="Account").click()
        expect(tasks.page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
        tasks.page.get_by_role("link", name="Tasks").click()
    tasks.shown()
    expect(tasks.new).to_have_value("Book the train")
    expect(tasks.page.get_by_label("Description to add")).to_have_value("before noon")
    expect(editor.title).to_have_value("Buy oat milk")
    expect(editor.description).to_have_value("Three\nbottles ")
    editor.press("Save")
    editor.is_gone()
    tasks.new.press("Enter")
    tasks.has_confirmed("Book the train")
    assert [(task["title"], task["description"]) for task in tasks_of(alice).all()] == [
        ("Book the train", "before noon"),
        ("Buy oat milk", "Three\nbottles "),
    ]
    tasks.open().reads("Book the train", "Buy oat milk")
    expect(tasks.new).to_have_value("")


def test_a_task_deleted_elsewhere_leaves_the_text_in_its_editor(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    first, second = stored.add("one", "two")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("my text")
    stored.delete(first)
    gone = problem(tasks.page).filter(has_text="This task was deleted elsewhere")
    expect(gone).to_be_visible()
    expect(editor.title).to_have_value("my text")
    editor.press("Save")
    editor.is_gone()
    tasks.reads("two", "my text")
    assert stored.titles() == ["two", "my text"]

    editor = tasks.edit("two")
    editor.title.fill("another text")
    stored.delete(second)
    expect(gone).to_be_visible()
    editor.press("Save as a new task")
    tasks.has_confirmed("another text").reads("another text", "my text")
    assert stored.titles() == ["another text", "my text"]


def test_a_draft_of_a_task_that_is_gone_is_offered_after_a_reload(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    [task] = stored.add("one")
    tasks = at_tasks(alice)
    tasks.edit("one").title.fill("my text")
    stored.delete(task)
    tasks.page.reload()
    editor = Editor(tasks.page)
    expect(editor.title).to_have_value("my text")
    editor.press("Save as a new task")
    tasks.has_confirmed("my text")
    assert stored.titles() == ["my text"]


def test_texts_survive_a_session_that_has_ended(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    page = windows.open(alice, is_far=True)
    tasks = TasksPage(page).open()
    editor = tasks.edit("one")
    editor.title.fill("my text")
    page.route(
        "**/tasks/*", lambda route: route.fulfill(status=401) if route.request.method == "PUT" else route.fallback()
    )
    editor.press("Save")
    is_expired(page)
    page.unroute("**/tasks/*")
    assert "one" not in page.content()
    is_alive(page)
    send_sign_in(page, alice)
    tasks.shown()
    expect(editor.title).to_have_value("my text")
    editor.press("Save")
    editor.is_gone()
    assert stored.titles() == ["my text"]


def test_a_new_task_without_a_response_is_sent_again_after_a_reload_and_there_once(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    tasks = at_tasks(alice)
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        route.fetch()
        lost.append(route)  # the service has it, the page never hears of it

    tasks.page.route("**/tasks", lose)
    tasks.new.fill("Buy milk")
    tasks.new.press("Enter")
    tasks.page.wait_for_function("() => Object.keys(localStorage).some(key => key.includes(':add:'))")
    while stored.titles() != ["Buy milk"]:
        tasks.page.wait_for_timeout(20)
    tasks.page.unroute("**/tasks")
    tasks.page.reload()
    tasks.shown().has_confirmed("Buy milk").reads("Buy milk")
    assert stored.titles() == ["Buy milk"]
    kept = tasks.page.evaluate("user => Object.keys(localStorage).filter(key => key.includes(user))", alice.user_id)
    assert kept == []


def test_escape_in_a_changed_editor_can_be_undone(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("my text")
    editor.title.press("Escape")
    tasks.reads("one")
    expect(notice(tasks.page)).to_contain_text("Your changes to “one” were discarded.")
    tasks.page.get_by_role("button", name="Undo").click()
    expect(editor.title).to_have_value("my text")
    editor.press("Cancel")
    tasks.page.keyboard.press("Control+z")
    expect(editor.title).to_have_value("my text")


def test_a_sign_out_forgets_every_text(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one")
    tasks = at_tasks(alice)
    tasks.new.fill("a secret")
    tasks.edit("one").title.fill("a secret")
    assert "a secret" in tasks.page.evaluate("JSON.stringify(localStorage)")
    sign_out(tasks.page)
    assert "a secret" not in tasks.page.evaluate("JSON.stringify(localStorage)")


def test_a_sign_out_in_one_tab_forgets_the_texts_of_all(at_tasks: Opens, alice: Person) -> None:
    here = at_tasks(alice)
    there = TasksPage(another(here.page)).open()
    there.new.fill("a secret")
    sign_out(here.page)
    is_at_login(there.page)
    assert "a secret" not in here.page.evaluate("JSON.stringify(localStorage)")


def test_each_of_two_tabs_keeps_its_own_text(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one")
    here = at_tasks(alice)
    there = TasksPage(another(here.page)).open()
    for tab, text in ((here, "mine"), (there, "another")):
        tab.edit("one").title.fill(text)
        tab.new.fill(text)
    here.page.reload()
    here.shown()
    expect(here.new).to_have_value("mine")
    expect(Editor(here.page).title).to_have_value("mine")


def test_a_text_over_the_limit_is_explained_after_a_reload_and_a_paste_too(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice)
    tasks.new.fill("x" * 300)
    tasks.page.reload()
    tasks.shown()
    expect(tasks.new).to_have_value("x" * 300)
    explanation = "field => field.validationMessage"
    assert "at most 255 characters; it has 300" in tasks.new.evaluate(explanation)
    tasks.new.fill("")
    paste(tasks.page, "\n".join(["y" * 100] * 3))
    tasks.page.get_by_role("button", name="As one task").click()
    expect(tasks.new).to_have_value(re.compile("^y{100} y{100} y{100}$"))
    assert "it has 302" in tasks.new.evaluate(explanation)


def test_a_text_over_the_limit_stays_and_is_explained(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    tasks = at_tasks(alice)
    tasks.new.fill("x" * 256)
    tasks.new.press("Enter")
    expect(tasks.new).to_have_value("x" * 256)
    message = tasks.new.evaluate("field => field.validationMessage")
    assert message == "The title can have at most 255 characters; it has 256."
    tasks.new.fill("\U0001f600" * 255)
    tasks.new.press("Enter")
    tasks.has_confirmed("\U0001f600" * 255)

    editor = tasks.edit("\U0001f600" * 255)
    editor.description.fill("\U0001f600" * 2001)
    editor.press("Save")
    expect(editor.description).to_have_value("\U0001f600" * 2001)
    editor.description.fill("\U0001f600" * 2000)
    editor.press("Save")
    editor.is_gone()
    assert stored.all()[0]["description"] == "\U0001f600" * 2000


def test_pasted_lines_become_as_many_tasks_or_one(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    tasks = at_tasks(alice)
    tasks.new.focus()
    paste(tasks.page, "milk\r\n\r\n  oats \ntea")
    tasks.page.get_by_role("button", name="Add 3 tasks").click()
    for title in ("milk", "oats", "tea"):
        tasks.has_confirmed(title)
    tasks.reads("milk", "oats", "tea")
    assert stored.titles() == ["milk", "oats", "tea"]

    paste(tasks.page, "bread\nbutter")
    tasks.page.get_by_role("button", name="As one task").click()
    expect(tasks.new).to_have_value("bread butter")


@pytest.mark.parametrize("description", [" leading\n\n  and trailing \n ", "a\r\nb\rc", "   "])
def test_an_editor_gives_back_what_it_was_given(
    description: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    stored.add("one", description=description)
    [before] = stored.all()
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.press("Save")
    editor.is_gone()
    assert stored.all() == [before]
    tasks.edit("one").change("two")
    assert stored.all()[0]["description"] == before["description"]


def test_a_pasted_line_that_can_not_be_saved_can_be_shortened(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    tasks = at_tasks(alice)
    tasks.new.focus()
    paste(tasks.page, "milk\n" + "y" * 2001)
    tasks.new.fill("being typed")
    tasks.page.get_by_role("button", name="Add 2 tasks").click()
    unsaved = problem(tasks.page).filter(has_text="Not saved")
    unsaved.get_by_role("button", name="Edit").click()
    expect(unsaved).to_contain_text("being typed")
    tasks.page.reload()
    tasks.shown()
    expect(unsaved).to_contain_text("being typed")  # and not sent: nobody has asked for that
    description = tasks.page.get_by_label("Description to add")
    expect(description).to_have_value("y" * 2001)
    description.fill("y" * 2000)
    tasks.new.fill("shortened")
    tasks.new.press("Enter")
    tasks.has_confirmed("shortened")
    unsaved.get_by_role("button", name="Edit").click()
    expect(unsaved).to_have_count(0)
    expect(tasks.new).to_have_value("being typed")
    assert stored.titles() == ["shortened", "milk"]


@pytest.mark.parametrize("end", ["sent", "thrown away"])
def test_what_is_sent_or_thrown_away_in_one_tab_does_not_come_back_from_another(
    end: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    stored = tasks_of(alice)
    stored.add("one")
    here = at_tasks(alice)
    here.new.fill("Book")
    editor = here.edit("one")
    editor.title.fill("one, then")
    there = TasksPage(another(here.page)).open()
    expect(there.new).to_have_value("Book")
    expect(Editor(there.page).title).to_have_value("one, then")

    here.new.fill("Book the train")
    editor.title.fill("one, then two")
    expect(there.new).to_have_value("Book the train")
    if end == "sent":
        editor.press("Save")
        here.new.press("Enter")
        here.has_confirmed("Book the train")
    else:
        editor.press("Cancel")
        here.new.fill("")
    editor.is_gone()
    Editor(there.page).is_gone()
    expect(there.new).to_have_value("")
    there.page.close()
    here.page.reload()
    here.shown().reads(*(["Book the train", "one, then two"] if end == "sent" else ["one"]))
    expect(here.new).to_have_value("")


def test_a_text_that_differs_from_that_of_another_tab_stays(at_tasks: Opens, alice: Person) -> None:
    """Also after a reload, when both have read it from the same place."""
    here = at_tasks(alice)
    here.new.fill("mine")
    here.page.reload()
    here.shown()
    there = TasksPage(another(here.page)).open()
    there.new.fill("another")
    there.new.press("Enter")
    there.has_confirmed("another")
    here.has_confirmed("another")
    here.page.reload()
    here.shown()
    expect(here.new).to_have_value("mine")
