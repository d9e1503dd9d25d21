from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage, go, notice

LAYOUT_SHIFTS: Final = (
    "new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve(shifts))))"
)
MAX_SHIFT: Final = 0.01


def assert_no_layout_shift(page: Page) -> None:
    """Expect no unexpected layout shift since the page started to load."""
    shifts = page.evaluate(LAYOUT_SHIFTS)
    assert sum(value for value, *_ in shifts) < MAX_SHIFT, shifts


@pytest.mark.parametrize("count", [0, 3, 40])
def test_no_layout_shift_while_the_tasks_load(windows: Windows, tasks_of: TasksOf, alice: Person, count: int) -> None:
    tasks_of(alice).add(*(f"Task {number}" for number in range(count)))
    page = windows.open(alice)
    TasksPage(page).open()
    assert_no_layout_shift(page)


def test_no_unexpected_layout_shift_while_tasks_are_changed(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Water the plants", "Book the train")
    tasks = TasksPage(windows.open(alice)).open()
    tasks.add("Buy milk")
    tasks.tick("Buy milk")
    tasks.delete("Book the train")
    notice(tasks.page).get_by_role("button", name="Undo").click()
    tasks.reads("Buy milk", "Book the train", "Water the plants")
    assert_no_layout_shift(tasks.page)


def test_no_layout_shift_while_the_sign_in_and_sign_up_pages_load(windows: Windows) -> None:
    page = windows.open()
    for path in ("/login", "/signup"):
        go(page, path)
        assert_no_layout_shift(page)


def test_no_layout_shift_while_the_account_loads(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    page.goto("/account")
    expect(page.get_by_text("Current session, signed in")).to_be_visible()
    assert_no_layout_shift(page)


def test_no_page_scrolls_horizontally(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("W" * 255)
    page = windows.open(alice)
    for path, text in (("/tasks", "WWW"), ("/account", "Current session, signed in"), ("/nowhere", "Page not found")):
        page.goto(path)
        expect(page.get_by_text(text).first).to_be_visible()
        for width in (320, 375, 1000):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
