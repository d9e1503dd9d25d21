"""Shortcut keys: from wherever the focus is, on other keyboards, and not while an input method composes."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import another
from tests.support.frontend import Person
from tests.support.pages import TasksPage

PRESS = """([key, code, more]) => !document.activeElement.dispatchEvent(
    new KeyboardEvent('keydown', { key, code, bubbles: true, cancelable: true, ...more }))"""
COMPOSE = """() => {
    for (const type of ['compositionstart', 'compositionend'])
        document.activeElement.dispatchEvent(new CompositionEvent(type, { bubbles: true }))
}"""
AFTERMATH = 100
"""Milliseconds after which a key is not a part of the composition any more."""


def press(tasks: TasksPage, key: str, code: str, **more: object) -> bool:
    """Press a key; returns whether the page has kept the browser from acting on it."""
    return bool(tasks.page.evaluate(PRESS, [key, code, more]))


def test_keys_work_from_wherever_the_focus_is(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("first", "second")
    tasks = at_tasks(alice)
    page, keys = tasks.page, tasks.page.keyboard
    for start in (page.get_by_role("link", name="Account"), page.get_by_role("button", name="Delete: first")):
        start.focus()
        keys.press("n")
        expect(tasks.new).to_be_focused()
        start.focus()
        keys.press("/")
        expect(tasks.search).to_be_focused()
    page.get_by_role("link", name="Account").focus()
    keys.press("ArrowDown")
    expect(tasks.check("second")).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    keys.press("ArrowUp")
    expect(tasks.check("first")).to_be_focused()
    keys.press("Backspace")
    tasks.reads("second")


def test_a_question_mark_shows_the_keys(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice)
    tasks.page.evaluate("document.activeElement.blur()")
    tasks.page.keyboard.press("?")
    dialog = tasks.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Undo")
    tasks.page.keyboard.press("n")
    expect(tasks.new).not_to_be_focused()
    tasks.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize(
    ("edit", "new"),
    [(("\u0443", "KeyE"), ("т", "KeyN")), (("ε", "KeyE"), ("\u03bd", "KeyN")), (("e", "KeyD"), ("n", "KeyL"))],
)
def test_keys_of_other_layouts(
    edit: tuple[str, str], new: tuple[str, str], at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    """Russian, Greek, and Dvorak, where the Latin letters are at other places."""
    tasks_of(alice).add("one")
    tasks = at_tasks(alice)
    tasks.check("one").focus()
    press(tasks, *new)
    expect(tasks.new).to_be_focused()
    tasks.check("one").focus()
    press(tasks, *edit)
    expect(tasks.page.get_by_label("Title", exact=True)).to_be_focused()


@pytest.mark.parametrize(("key", "code"), [("я", "KeyZ"), ("\u03b6", "KeyZ"), ("z", "KeyY"), ("Z", "KeyZ")])
def test_undo_works_on_other_layouts(key: str, code: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    """Russian, Greek, German, and with Caps Lock."""
    tasks_of(alice).add("one")
    tasks = at_tasks(alice)
    tasks.delete("one")
    assert press(tasks, key, code, ctrlKey=True)
    tasks.reads("one")


@pytest.mark.parametrize("more", [{"isComposing": True}, {"keyCode": 229}])
def test_enter_belongs_to_an_input_method_that_composes_a_new_task(
    more: dict[str, object], at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    """`keyCode` alone is Safari's order of events: the composition has ended before the key that ends it."""
    tasks = at_tasks(alice)
    tasks.new.fill("かな")
    assert press(tasks, "Enter", "Enter", **more)
    tasks.page.evaluate(f"({COMPOSE})(); ({PRESS})(['Enter', 'Enter', {{}}])")
    expect(tasks.new).to_have_value("かな")
    assert tasks_of(alice).titles() == []
    tasks.page.evaluate(f"new Promise(later => setTimeout(later, {AFTERMATH}))")
    tasks.new.press("Enter")
    tasks.has_confirmed("かな")


@pytest.mark.parametrize("more", [{"isComposing": True}, {"keyCode": 229}])
def test_escape_belongs_to_an_input_method_that_composes(
    more: dict[str, object], at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("one")
    tasks = at_tasks(alice)
    editor = tasks.edit("one")
    editor.title.fill("かな")
    press(tasks, "Escape", "Escape", **more)
    press(tasks, "Enter", "Enter", ctrlKey=True, **more)
    expect(editor.title).to_have_value("かな")
    tasks.page.evaluate(f"({COMPOSE})(); ({PRESS})(['Escape', 'Escape', {{}}])")
    expect(editor.title).to_have_value("かな")
    tasks.page.evaluate(f"new Promise(later => setTimeout(later, {AFTERMATH}))")
    editor.title.press("Escape")
    editor.is_gone()


def test_shortcuts_of_one_character_can_be_turned_off(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    """By keys alone; other keys go on, every tab and reload knows, and the dialog stays in reach (WCAG 2.1.4)."""
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    keys, there = tasks.page.keyboard, TasksPage(another(tasks.page)).open()
    tasks.check("one").focus()
    keys.press("?")
    switch = tasks.page.get_by_role("checkbox", name="Shortcuts of one character")
    expect(tasks.page.get_by_role("button", name="Close")).to_be_focused()
    keys.press("Tab")
    while not switch.evaluate("box => box === document.activeElement"):
        keys.press("Tab")
    keys.press("Space")
    expect(switch).not_to_be_checked()
    expect(tasks.page.get_by_role("dialog")).to_contain_text("New task (off)")
    keys.press("Escape")

    tasks.page.reload()
    tasks.page.emulate_media(reduced_motion="reduce")
    for page in (tasks.shown(), there):
        for key in ("n", "/", "e", "?", "N"):
            page.check("one").focus()
            page.page.keyboard.press(key)
            expect(page.check("one")).to_be_focused()
        for key, code in (("т", "KeyN"), ("\u0443", "KeyE")):
            assert not press(page, key, code)
        expect(page.page.get_by_role("dialog")).to_have_count(0)
        page.page.keyboard.press("ArrowUp")
        expect(page.check("two")).to_be_focused()
    keys.press("Delete")
    tasks.reads("one")
    keys.press("Control+z")
    tasks.reads("two", "one")

    tasks.page.set_viewport_size({"width": 320, "height": 500})  # as at a zoom of 300 %
    button = tasks.page.get_by_role("button", name="Keyboard shortcuts")
    button.press("Enter")
    switch.press("Space")
    keys.press("Escape")
    expect(button).to_be_focused()
    for page in (tasks, there):
        page.page.keyboard.press("n")
        expect(page.new).to_be_focused()
