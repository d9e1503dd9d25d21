from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.frontend import Person
from tests.support.pages import TasksPage

IMAGE = "<img src=x onerror=alert(1)>"
HOSTILE = [IMAGE, "<script>alert(1)</script>", "javascript:alert(1)", "{{7*7}}${7*7}", "</li></ul><h1>Big</h1>"]


def is_text(tasks: TasksPage, text: str) -> None:
    """Expect the text to be shown verbatim, without any element created from it."""
    injected: Locator = tasks.page.locator("img:not([src='/icon.svg']), main script, main h1:not(.visually-hidden)")
    expect(tasks.page.get_by_text(text, exact=True).first).to_be_visible()
    expect(injected).to_have_count(0)


def test_markup_and_scripts_are_shown_as_text(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    for text in HOSTILE:
        stored.add(text, description=text)
    tasks = at_tasks(alice)
    for text in HOSTILE:
        expect(tasks.page.get_by_text(text, exact=True)).to_have_count(2)
        is_text(tasks, text)


def test_markup_stays_text_while_a_task_is_added_edited_searched_and_deleted(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice).add(IMAGE)
    is_text(tasks, IMAGE)
    tasks.edit(IMAGE).change(description=IMAGE)
    expect(tasks.page.get_by_text(IMAGE, exact=True)).to_have_count(2)
    tasks.search.fill(IMAGE)
    tasks.reads(IMAGE)
    is_text(tasks, IMAGE)
    tasks.delete(IMAGE)
    is_text(tasks, f"“{IMAGE}” was deleted.")


def test_titles_of_the_maximum_length_and_in_any_script_are_shown_unchanged(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    titles = ["W" * 255, "Ελληνικά, עברית, العربية, 日本語, 👩‍👩‍👧‍👦", "a\u0301 is á"]
    tasks_of(alice).add(*titles)
    tasks = at_tasks(alice)
    tasks.reads(*reversed(titles))
    width = tasks.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0, "the page must not scroll horizontally"
