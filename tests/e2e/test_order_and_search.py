"""Order and words are the service's, whatever the clock of the browser shows."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage


def is_add(route: Route) -> bool:
    return route.request.method == "POST"


def test_tasks_are_added_one_after_the_other_each_with_a_key(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks = at_tasks(alice)
    held: list[Route] = []
    tasks.page.route("**/tasks", lambda route: held.append(route) if is_add(route) else route.fallback())
    titles = [f"Task {number}" for number in range(5)]
    for title in titles:
        tasks.new.fill(title)
        tasks.new.press("Enter")
    tasks.reads(*reversed(titles))
    for number, title in enumerate(titles, 1):
        while len(held) < number:
            tasks.page.wait_for_timeout(20)
        assert len(held) == number, "the next one is sent before the response"
        assert (held[-1].request.post_data_json or {})["title"] == title
        held[-1].continue_()
        tasks.has_confirmed(title)
    tasks.reads(*reversed(titles))
    assert len({route.request.headers["idempotency-key"] for route in held}) == len(titles)
    assert tasks_of(alice).titles() == titles[::-1]


def test_tasks_added_offline_are_sent_in_their_order(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks = at_tasks(alice)
    tasks.page.context.set_offline(True)
    titles = [f"Task {number}" for number in range(6)]
    for title in titles:
        tasks.new.fill(title)
        tasks.new.press("Enter")
    tasks.reads(*reversed(titles))
    tasks.page.context.set_offline(False)
    for title in titles:
        tasks.has_confirmed(title)
    tasks.reads(*reversed(titles))
    assert tasks_of(alice).titles() == titles[::-1]


def test_a_clock_that_is_wrong_changes_no_order(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    for offset in (timedelta(hours=-5), timedelta(hours=5)):
        stored = tasks_of(alice)
        tasks = TasksPage(windows.open(alice, has_clock=True)).open()
        tasks.page.clock.set_fixed_time(datetime.now(UTC) + offset)
        titles = [f"{number} at {offset}" for number in range(3)]
        for title in titles:
            tasks.new.fill(title)
            tasks.new.press("Enter")
        tasks.has_confirmed(titles[-1])
        expected = stored.titles()
        assert expected[:3] == titles[::-1]
        tasks.reads(*expected)


def test_the_search_finds_what_the_service_finds(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("Buy milk, oat", "Straße", "ΟΔΟΣ", "\u0130stanbul", "o\ufb03ce")
    tasks = at_tasks(alice)
    for search in ("buy oat", "oat buy", '"milk, oat"', "STRASSE", "οδος", "istanbul", "OFFICE"):
        tasks.search.fill(search)
        found = stored.search(search)
        assert len(found) == 1, search
        tasks.reads(*found)


def test_an_added_task_is_seen_whatever_is_filtered(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("old")
    tasks = at_tasks(alice)
    tasks.choose("Done")
    tasks.reads()
    tasks.add("new")
    tasks.reads("new")
    tasks.choose("All").search.fill("old")
    tasks.reads("old")
    tasks.add("newer")
    tasks.reads("newer", "old")
    tasks.choose("Deleted")
    tasks.add("old again")
    tasks.reads("old again", "old")


def test_filter_and_search_are_in_the_address(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    tasks.tick("one")
    tasks.choose("Done").search.fill("on")
    tasks.page.wait_for_url("**/tasks?show=done&q=on")
    tasks.page.reload()
    tasks.shown().reads("one")
    expect(tasks.search).to_have_value("on")
    expect(tasks.page.get_by_role("radio", name="Done")).to_be_checked()
    tasks.page.get_by_role("link", name="Tasks").click()
    tasks.reads("two", "one")
    expect(tasks.search).to_have_value("")
