import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import NOT_RESPONDING, TasksPage, fill_in, go, notice, problem
from tests.support.service_under_pages import Api

RETRYING = re.compile("Retrying every few seconds")
OUTDATED = re.compile("The list may be outdated")


def test_a_change_without_a_response_is_rolled_back_with_a_message(
    at_tasks: Opens, tasks_of: TasksOf, api: Api, alice: Person
) -> None:
    stored = tasks_of(alice)
    stored.add("Book the train", "Buy milk")
    tasks = at_tasks(alice)
    page = tasks.page
    api.stop()

    tasks.check("Buy milk").click()
    expect(notice(page)).to_contain_text(f"Could not update “Buy milk”. {NOT_RESPONDING}")
    expect(tasks.check("Buy milk")).not_to_be_checked()

    tasks.new.fill("Water the plants")
    tasks.new.press("Enter")
    expect(notice(page)).to_contain_text(f"Could not add “Water the plants”. {NOT_RESPONDING}")
    expect(tasks.new).to_have_value("Water the plants")
    tasks.reads("Buy milk", "Book the train")

    page.get_by_role("button", name="Delete: Book the train").click()
    expect(notice(page)).to_contain_text(f"Could not delete “Book the train”. {NOT_RESPONDING}")
    tasks.reads("Buy milk", "Book the train")

    editor = tasks.edit("Buy milk")
    editor.save("Buy oat milk")
    expect(notice(page)).to_contain_text(f"Could not update “Buy milk”. {NOT_RESPONDING}")
    expect(editor.title).to_have_value("Buy oat milk")

    banner = problem(page).filter(has_text=RETRYING)
    expect(banner).to_contain_text(OUTDATED)
    api.start()
    expect(banner).to_have_count(0)
    editor.press("Save")
    editor.is_gone()
    tasks.new.press("Enter")
    tasks.has_confirmed("Water the plants").reads("Water the plants", "Buy oat milk", "Book the train")
    assert stored.titles() == ["Water the plants", "Buy oat milk", "Book the train"]


def test_a_page_without_the_service_shows_a_message_and_recovers_by_itself(
    windows: Windows, tasks_of: TasksOf, api: Api, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    api.stop()
    page = windows.open(alice)
    page.goto("/tasks")
    banner = problem(page).filter(has_text=NOT_RESPONDING)
    expect(banner).to_contain_text(RETRYING)
    expect(banner).not_to_contain_text(OUTDATED)
    expect(page.get_by_text("No tasks yet")).to_have_count(0)
    api.start()
    TasksPage(page).shown().reads("Buy milk")
    expect(banner).to_have_count(0)


def test_the_list_can_be_reloaded_at_once(windows: Windows, tasks_of: TasksOf, api: Api, alice: Person) -> None:
    tasks_of(alice).add("Buy milk")
    api.stop()
    page = windows.open(alice, has_clock=True)
    page.goto("/tasks")
    retry = page.get_by_role("button", name="Retry now")
    expect(retry).to_be_visible()
    page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000, UTC) + timedelta(seconds=1))
    api.start()
    with TasksPage(page).answered("GET"):
        retry.click()  # the page does not retry by itself: its clock is paused
    page.clock.resume()
    TasksPage(page).shown().reads("Buy milk")


def test_changes_made_offline_are_sent_after_reconnecting(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    [milk] = stored.add("Buy milk")
    tasks = at_tasks(alice)
    page = tasks.page
    page.context.set_offline(True)
    banner = page.get_by_role("status").filter(has_text="You are offline.")
    expect(banner).to_contain_text("Changes will be saved when you reconnect.")

    tasks.check("Buy milk").click()
    expect(banner).to_contain_text("1 change will be saved when you reconnect. Keep this page open.")
    tasks.new.fill("Book the train")
    tasks.new.press("Enter")
    expect(banner).to_contain_text("2 changes will be saved when you reconnect")
    tasks.reads("Book the train", "Buy milk")
    expect(tasks.check("Buy milk")).to_be_checked()
    expect(tasks.check("Book the train")).to_be_disabled()
    assert stored.all() == [milk]

    page.context.set_offline(False)
    expect(banner).to_have_count(0)
    tasks.has_confirmed("Book the train").reads("Book the train", "Buy milk")
    expect(notice(page)).to_have_count(0)
    tasks.open().reads("Book the train", "Buy milk")
    assert [(task["title"], task["completed"]) for task in stored.all()] == [
        ("Book the train", False),
        ("Buy milk", True),
    ]


def test_leaving_a_page_with_pending_changes_asks_first(windows: Windows, at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice).add("Buy milk")
    page = tasks.page
    offline = page.get_by_role("status").filter(has_text="You are offline.")
    page.context.set_offline(True)
    tasks.check("Buy milk").click()
    expect(offline).to_contain_text("1 change will be saved")
    windows.watch.stays = True
    with page.expect_event("dialog"):
        page.evaluate("setTimeout(() => location.assign('/account'))")
    expect(tasks.check("Buy milk")).to_be_checked()
    assert windows.watch.questions == 1

    with tasks.answered("PATCH"):
        page.context.set_offline(False)
    expect(offline).to_have_count(0)
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    page.reload()
    assert windows.watch.questions == 1


def test_a_form_without_a_response_shows_a_message(windows: Windows, alice: Person) -> None:
    page = windows.open()
    go(page, "/login")
    page.context.set_offline(True)
    page.get_by_label("Email").fill(alice.email)
    fill_in(page, Password=alice.password)
    page.get_by_role("button", name="Sign in").click()
    expect(problem(page)).to_have_text("No response from the server. Check your connection and try again.")


def test_a_sign_out_without_a_response_shows_a_message_and_stays(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice).add("Buy milk")
    page = tasks.page
    page.context.set_offline(True)
    page.get_by_role("button", name="Sign out").click()
    expect(notice(page)).to_contain_text("Could not sign out")
    tasks.reads("Buy milk")
