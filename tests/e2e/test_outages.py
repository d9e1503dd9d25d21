import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import NO_ANSWER, TasksPage, fill_in, go, notice, problem
from tests.support.service_under_pages import Api

AGAIN = re.compile("It is asked again every few seconds")
BEFORE = re.compile("This is what was there before")


def test_a_change_that_the_service_does_not_answer_is_taken_back_in_words(
    at_tasks: Opens, tasks_of: TasksOf, api: Api, alice: Person
) -> None:
    kept = tasks_of(alice)
    kept.add("Book the train", "Buy milk")
    tasks = at_tasks(alice)
    page = tasks.page
    api.stop()

    tasks.check("Buy milk").click()
    expect(notice(page)).to_contain_text(f"“Buy milk” was not changed. {NO_ANSWER}")
    expect(tasks.check("Buy milk")).not_to_be_checked()

    tasks.new.fill("Water the plants")
    tasks.new.press("Enter")
    expect(notice(page)).to_contain_text(f"“Water the plants” was not added. {NO_ANSWER}")
    expect(tasks.new).to_have_value("Water the plants")
    tasks.reads("Buy milk", "Book the train")

    page.get_by_role("button", name="Delete: Book the train").click()
    expect(notice(page)).to_contain_text(f"“Book the train” was not deleted. {NO_ANSWER}")
    tasks.reads("Buy milk", "Book the train")

    editor = tasks.edit("Buy milk")
    editor.save("Buy oat milk")
    expect(notice(page)).to_contain_text(f"“Buy milk” was not changed. {NO_ANSWER}")
    expect(editor.title).to_have_value("Buy oat milk")

    banner = problem(page).filter(has_text=AGAIN)
    expect(banner).to_contain_text(BEFORE)
    api.start()
    expect(banner).to_have_count(0)
    editor.press("Save")
    editor.is_gone()
    tasks.new.press("Enter")
    tasks.has_confirmed("Water the plants").reads("Water the plants", "Buy oat milk", "Book the train")
    assert kept.titles() == ["Water the plants", "Buy oat milk", "Book the train"]


def test_a_page_that_finds_no_service_says_so_and_recovers_by_itself(
    windows: Windows, tasks_of: TasksOf, api: Api, alice: Person
) -> None:
    tasks_of(alice).add("Buy milk")
    api.stop()
    page = windows.open(alice)
    page.goto("/tasks")
    banner = problem(page).filter(has_text=NO_ANSWER)
    expect(banner).to_contain_text(AGAIN)
    expect(banner).not_to_contain_text(BEFORE)
    expect(page.get_by_text("Nothing to do")).to_have_count(0)
    api.start()
    TasksPage(page).shown().reads("Buy milk")
    expect(banner).to_have_count(0)


def test_the_service_can_be_asked_again_at_once(windows: Windows, tasks_of: TasksOf, api: Api, alice: Person) -> None:
    tasks_of(alice).add("Buy milk")
    api.stop()
    page = windows.open(alice, has_clock=True)
    page.goto("/tasks")
    again = page.get_by_role("button", name="Ask now")
    expect(again).to_be_visible()
    page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000, UTC) + timedelta(seconds=1))
    api.start()
    with TasksPage(page).answered("GET"):
        again.click()  # and not the page by itself: its time stands still
    page.clock.resume()
    TasksPage(page).shown().reads("Buy milk")


def test_what_is_changed_offline_waits_and_is_sent_when_one_is_back(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    kept = tasks_of(alice)
    [milk] = kept.add("Buy milk")
    tasks = at_tasks(alice)
    page = tasks.page
    page.context.set_offline(True)
    banner = page.get_by_role("status").filter(has_text="You are offline.")
    expect(banner).to_contain_text("Changes will be sent when you are back.")

    tasks.check("Buy milk").click()
    expect(banner).to_contain_text("1 change is sent when you are back; keep this page open.")
    tasks.new.fill("Book the train")
    tasks.new.press("Enter")
    expect(banner).to_contain_text("2 changes are sent when you are back")
    tasks.reads("Book the train", "Buy milk")
    expect(tasks.check("Buy milk")).to_be_checked()
    expect(tasks.check("Book the train")).to_be_disabled()
    assert kept.all() == [milk]

    page.context.set_offline(False)
    expect(banner).to_have_count(0)
    tasks.has_confirmed("Book the train").reads("Book the train", "Buy milk")
    expect(notice(page)).to_have_count(0)
    tasks.open().reads("Book the train", "Buy milk")
    assert [(task["title"], task["completed"]) for task in kept.all()] == [
        ("Book the train", False),
        ("Buy milk", True),
    ]


def test_a_page_that_is_left_with_changes_waiting_asks_first(windows: Windows, at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice).add("Buy milk")
    page = tasks.page
    offline = page.get_by_role("status").filter(has_text="You are offline.")
    page.context.set_offline(True)
    tasks.check("Buy milk").click()
    expect(offline).to_contain_text("1 change is sent")
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


def test_a_form_that_gets_no_answer_says_so(windows: Windows, alice: Person) -> None:
    page = windows.open()
    go(page, "/login")
    page.context.set_offline(True)
    page.get_by_label("E-mail address").fill(alice.email)
    fill_in(page, Password=alice.password)
    page.get_by_role("button", name="Sign in").click()
    expect(problem(page)).to_have_text("No answer came. Are you online? Please try again.")


def test_a_sign_out_that_gets_no_answer_does_not_look_like_one(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice).add("Buy milk")
    page = tasks.page
    page.context.set_offline(True)
    page.get_by_role("button", name="Sign out").click()
    expect(notice(page)).to_contain_text("You are still signed in")
    tasks.reads("Buy milk")
