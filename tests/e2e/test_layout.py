from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage, go

PROPAGATION_DELAY: Final = "new Promise(then => requestAnimationFrame(() => requestAnimationFrame(() => then(shifts))))"
HARDLY: Final = 0.01


def nothing_moved(page: Page) -> None:
    """Expect that nothing has moved that nobody touched, since the page began to load."""
    shifts = page.evaluate(PROPAGATION_DELAY)
    assert sum(value for value, *_ in shifts) < HARDLY, shifts


@pytest.mark.parametrize("count", [0, 3, 40])
def test_nothing_moves_while_the_tasks_load(windows: Windows, tasks_of: TasksOf, alice: Person, count: int) -> None:
    tasks_of(alice).add(*(f"Task {number}" for number in range(count)))
    page = windows.open(alice)
    TasksPage(page).open()
    nothing_moved(page)


def test_nothing_but_the_tasks_moves_while_they_are_worked_on(
    windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("Water the plants", "Book the train")
    tasks = TasksPage(windows.open(alice)).open()
    tasks.add("Buy milk")
    tasks.tick("Buy milk")
    tasks.delete("Book the train")
    tasks.page.get_by_role("button", name="Undo").click()
    tasks.reads("Buy milk", "Book the train", "Water the plants")
    nothing_moved(tasks.page)


def test_nothing_moves_while_a_page_to_come_in_loads(windows: Windows) -> None:
    page = windows.open()
    for path in ("/login", "/signup"):
        go(page, path)
        nothing_moved(page)


def test_nothing_moves_while_the_account_loads(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    page.goto("/account")
    expect(page.get_by_text("This session, since")).to_be_visible()
    nothing_moved(page)


def test_no_page_is_wider_than_its_window(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("W" * 255)
    page = windows.open(alice)
    for path, text in (("/tasks", "WWW"), ("/account", "This session, since"), ("/nowhere", "There is no such page")):
        page.goto(path)
        expect(page.get_by_text(text).first).to_be_visible()
        for width in (320, 375, 1000):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
