"""Page objects: the actions and contents of the pages."""

import re
from contextlib import AbstractContextManager
from typing import Final

from attrs import frozen
from playwright.sync_api import Locator, Page, expect

from tests.support.frontend import Person

NOT_RESPONDING: Final = "The service is not responding."
ENDED: Final = "Your session has ended. Please sign in again."


def is_alive(page: Page) -> None:
    """Wait until the page is hydrated: before that, forms are submitted without its script."""
    page.wait_for_function(
        "() => [...document.forms].some(form => Object.keys(form).some(key => key.startsWith('__react')))"
    )


def go(page: Page, path: str) -> None:
    page.goto(path)
    is_alive(page)


def fill_in(page: Page, **fields: str) -> None:
    """Fill in fields by label; underscores in names stand for spaces."""
    for label, text in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)


def send_sign_in(page: Page, person: Person, *, password: str | None = None) -> None:
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(password or person.password)
    page.get_by_role("button", name="Sign in").click()


def sign_in(page: Page, person: Person, *, password: str | None = None) -> "TasksPage":
    """Sign in on the page, with an account without a second factor."""
    go(page, "/login")
    send_sign_in(page, person, password=password)
    return TasksPage(page).shown()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    is_at_login(page)
    is_alive(page)


def is_at_login(page: Page) -> None:
    expect(page).to_have_url(re.compile(r"/login$"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def is_expired(page: Page) -> None:
    expect(page).to_have_url(re.compile(r"/login\?expired=true$"))
    expect(page.get_by_role("status").filter(has_text=ENDED)).to_be_visible()


def problem(page: Page) -> Locator:
    """The error message on the page."""
    return page.get_by_role("alert").filter(has_text=re.compile(r"\w"))


def notice(page: Page) -> Locator:
    """The notice at the bottom of the window."""
    return page.locator(".notice")


@frozen
class TasksPage:
    """The tasks page."""

    page: Page

    def open(self) -> "TasksPage":
        self.page.goto("/tasks")
        return self.shown()

    def shown(self) -> "TasksPage":
        """Wait until the tasks are loaded."""
        expect(self.page).to_have_url(re.compile(r"/tasks(\?.*)?$"))
        expect(self.page.get_by_role("status").filter(has_text=re.compile(r"\d open"))).to_be_visible()
        return self

    @property
    def new(self) -> Locator:
        return self.page.get_by_label("New task")

    @property
    def search(self) -> Locator:
        return self.page.get_by_label("Search")

    @property
    def titles(self) -> Locator:
        return self.page.get_by_role("list", name="Tasks").locator(".title > span")

    def reads(self, *titles: str) -> "TasksPage":
        """Expect the list to have these titles, in this order."""
        expect(self.titles).to_have_text(list(titles))
        return self

    def check(self, title: str) -> Locator:
        return self.page.get_by_role("checkbox", name=f"Done: {title}", exact=True)

    def row(self, title: str) -> Locator:
        return self.page.get_by_role("listitem").filter(has=self.check(title))

    def add(self, *titles: str) -> "TasksPage":
        """Add tasks, and wait until the service has confirmed each."""
        for title in titles:
            self.new.fill(title)
            self.new.press("Enter")
            self.has_confirmed(title)
        return self

    def has_confirmed(self, title: str) -> "TasksPage":
        expect(self.check(title)).to_be_enabled()
        return self

    def tick(self, title: str) -> "TasksPage":
        """Toggle whether the task is done, and wait for the response."""
        with self.answered("PATCH"):
            self.check(title).click()
        return self

    def answered(self, method: str) -> AbstractContextManager[object]:
        """On exit, wait for the response to a request with this method."""
        return self.page.expect_response(lambda answer: answer.request.method == method and "/api/" in answer.url)

    def choose(self, view: str) -> "TasksPage":
        self.page.get_by_role("group", name="Show").get_by_text(view, exact=True).click()
        return self

    def delete(self, title: str) -> "TasksPage":
        self.page.get_by_role("button", name=f"Delete: {title}", exact=True).click()
        expect(notice(self.page)).to_contain_text(f"“{title}” was deleted.")
        return self

    def edit(self, title: str) -> "Editor":
        self.row(title).locator(".title").click()
        return Editor(self.page)


@frozen
class Editor:
    """The editor of a task, in the list."""

    page: Page

    @property
    def title(self) -> Locator:
        return self.page.get_by_label("Title", exact=True)

    @property
    def description(self) -> Locator:
        return self.page.get_by_label("Description", exact=True)

    @property
    def conflict(self) -> Locator:
        return problem(self.page).filter(has_text="changed elsewhere")

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def change(self, title: str | None = None, *, description: str | None = None) -> None:
        """Edit, save, and wait until the editor is closed, which means that the service has confirmed."""
        self.save(title, description=description)
        expect(self.title).to_have_count(0)

    def save(self, title: str | None = None, *, description: str | None = None) -> None:
        """Edit and save, without waiting for the result."""
        if title is not None:
            self.title.fill(title)
        if description is not None:
            self.description.fill(description)
        self.press("Save")

    def is_gone(self) -> None:
        expect(self.title).to_have_count(0)
