import re
from uuid import uuid4

from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, calls
from tests.support.frontend import PASSWORD, Frontend, Person
from tests.support.pages import (
    TasksPage,
    go,
    is_at_login,
    notice,
    problem,
    send_sign_in,
    sign_in,
    sign_out,
)
from tests.support.service_under_pages import Api


def test_a_newcomer_signs_up_keeps_tasks_signs_out_and_finds_them_again(windows: Windows, web: Frontend) -> None:
    page = windows.open()
    page.goto("/")
    is_at_login(page)
    page.get_by_role("link", name="Create an account").click()
    expect(page.get_by_role("heading", name="Create an account")).to_be_visible()
    somebody = web.person(f"{uuid4().hex}@example.com")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-mail address").fill(somebody.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()

    tasks = TasksPage(page).shown()
    expect(page.get_by_text("Nothing to do. Add your first task above.")).to_be_visible()
    tasks.add("Water the plants", "Book the train", "Buy milk").reads("Buy milk", "Book the train", "Water the plants")

    tasks.edit("Book the train").change("Book the train to Turin", description="The one before noon.")
    expect(tasks.row("Book the train to Turin")).to_contain_text("The one before noon.")

    tasks.tick("Buy milk")
    expect(page.get_by_role("status").filter(has_text="2 open")).to_be_visible()
    tasks.choose("Open").reads("Book the train to Turin", "Water the plants")
    tasks.choose("Done").reads("Buy milk")
    tasks.choose("All").reads("Buy milk", "Book the train to Turin", "Water the plants")

    tasks.search.fill("NOON")
    tasks.reads("Book the train to Turin")
    tasks.search.fill("nothing of the kind")
    expect(page.get_by_text("No task is like that.")).to_be_visible()
    tasks.search.fill("")

    tasks.delete("Water the plants").reads("Buy milk", "Book the train to Turin")
    notice(page).get_by_role("button", name="Undo").click()
    tasks.reads("Buy milk", "Book the train to Turin", "Water the plants")
    expect(notice(page)).to_have_count(0)
    tasks.delete("Buy milk").reads("Book the train to Turin", "Water the plants")

    sign_out(page)
    sign_in(page, somebody).reads("Book the train to Turin", "Water the plants")


def test_one_comes_in_and_adds_tasks_with_the_keyboard_alone(windows: Windows, web: Frontend) -> None:
    page = windows.open()
    keys = page.keyboard
    somebody = web.person()
    go(page, "/signup")
    expect(page.get_by_label("Name")).to_be_focused()
    for text in ("Ada", somebody.email, PASSWORD):
        keys.type(text)
        keys.press("Tab")
    expect(page.get_by_role("button", name="Create account")).to_be_focused()
    keys.press("Enter")

    tasks = TasksPage(page).shown()
    expect(tasks.new).to_be_focused()
    for title in ("first", "second"):
        keys.type(title)
        keys.press("Enter")
        tasks.has_confirmed(title)
    expect(tasks.new).to_be_focused()
    tasks.reads("second", "first")

    keys.press("Tab")  # the button that adds
    keys.press("Tab")  # the filters
    keys.press("ArrowRight")
    expect(page.get_by_role("radio", name="Open")).to_be_checked()
    keys.press("Tab")
    expect(tasks.search).to_be_focused()
    keys.type("/nothing")
    expect(tasks.search).to_have_value("/nothing")
    tasks.reads()
    keys.press("Control+A")
    keys.press("Delete")
    tasks.reads("second", "first")
    keys.press("Tab")
    expect(tasks.check("second")).to_be_focused()
    keys.press("/")
    expect(tasks.search).to_be_focused()
    keys.press("Tab")
    keys.press("N")
    expect(tasks.new).to_be_focused()


def test_a_task_is_worked_on_with_the_keyboard_alone(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    kept = tasks_of(alice)
    kept.add("first", "second", "third")
    tasks = at_tasks(alice)
    page, keys = tasks.page, tasks.page.keyboard
    tasks.check("third").focus()
    keys.press("Space")
    expect(tasks.check("third")).to_be_checked()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(tasks.check("first")).to_be_focused()
    keys.press("ArrowUp")
    expect(tasks.check("second")).to_be_focused()

    keys.press("e")
    expect(page.get_by_label("Title", exact=True)).to_be_focused()
    keys.type(" thoughts")
    keys.press("Escape")
    expect(tasks.check("second")).to_be_focused()
    tasks.reads("third", "second", "first")

    keys.press("e")
    keys.press("End")
    keys.type(" thoughts")
    keys.press("Enter")
    expect(tasks.check("second thoughts")).to_be_focused()
    tasks.reads("third", "second thoughts", "first")

    keys.press("Delete")
    tasks.reads("third", "first")
    expect(tasks.check("first")).to_be_focused()
    keys.press("Delete")
    tasks.reads("third")
    expect(tasks.check("third")).to_be_focused()
    expect(notice(page)).to_contain_text("“first” was deleted.")
    assert [(task["title"], task["completed"]) for task in kept.all()] == [("third", True)]


def test_the_focus_goes_on_to_the_next_task_when_one_leaves_the_view(
    at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add("first", "second")
    tasks = at_tasks(alice)
    tasks.page.get_by_role("radio", name="Open").check()
    tasks.check("second").focus()
    tasks.page.keyboard.press("Space")
    tasks.reads("first")
    expect(tasks.check("first")).to_be_focused()
    tasks.page.keyboard.press("Space")
    tasks.reads()
    expect(tasks.new).to_be_focused()


def test_a_key_that_is_held_deletes_one_task_alone(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("first", "second")
    tasks = at_tasks(alice)
    tasks.check("second").focus()
    tasks.page.keyboard.down("Delete")
    tasks.page.keyboard.down("Delete")
    tasks.page.keyboard.up("Delete")
    expect(notice(tasks.page)).to_contain_text("“second” was deleted.")
    tasks.reads("first")


def test_a_key_that_is_typed_into_a_field_is_text(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice)
    tasks.new.press_sequentially("n/e")
    expect(tasks.new).to_have_value("n/e")
    tasks.new.press("Enter")
    tasks.has_confirmed("n/e")
    editor = tasks.edit("n/e")
    editor.title.press_sequentially("/n")
    expect(editor.title).to_have_value("n/e/n")
    editor.description.press_sequentially("line\nn/")
    expect(editor.description).to_have_value("line\nn/")
    editor.description.press("Control+Enter")
    editor.is_gone()
    tasks.reads("n/e/n")


def test_a_description_is_cleared_by_leaving_nothing_of_it(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    kept = tasks_of(alice)
    kept.add("Buy milk", description="Two bottles")
    tasks = at_tasks(alice)
    tasks.edit("Buy milk").change(description="")
    expect(tasks.page.get_by_text("Two bottles")).to_have_count(0)
    tasks.open().reads("Buy milk")
    assert kept.all()[0]["description"] is None


def test_a_title_of_blanks_is_not_added_nor_saved(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    kept = tasks_of(alice)
    kept.add("Buy milk")
    tasks = at_tasks(alice)
    tasks.new.fill("   ")
    tasks.new.press("Enter")
    editor = tasks.edit("Buy milk")
    editor.title.fill("   ")
    editor.title.press("Enter")
    expect(editor.title).to_be_visible()
    editor.title.press("Escape")
    tasks.open().reads("Buy milk")
    assert kept.titles() == ["Buy milk"]


def test_a_wrong_password_is_refused_in_words_and_the_address_stays(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    go(page, "/login")
    send_sign_in(page, alice, password="not the pass phrase")
    expect(problem(page)).to_have_text("Invalid email or password")
    expect(page.get_by_label("E-mail address")).to_have_value(alice.email)
    assert "pass" not in page.url


def test_an_address_that_is_taken_is_refused_in_words(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    go(page, "/signup")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-mail address").fill(alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(problem(page)).to_contain_text("already exists")


def test_whoever_guesses_is_told_to_wait(windows: Windows, alice: Person) -> None:
    page = windows.open()
    go(page, "/login")
    for _ in range(3):
        with page.expect_response("**/api/auth/sign-in/email"):
            send_sign_in(page, alice, password="not the pass phrase")
        expect(page.locator("form")).to_have_attribute("aria-busy", "false")
    send_sign_in(page, alice, password="not the pass phrase")
    expect(problem(page)).to_contain_text(re.compile("too many requests", re.IGNORECASE))


def test_whoever_is_signed_in_is_not_asked_again(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    for path in ("/", "/login", "/signup"):
        page.goto(path)
        TasksPage(page).shown()


def test_whoever_is_signed_out_is_asked_everywhere(windows: Windows) -> None:
    page = windows.open()
    for path in ("/", "/tasks", "/account"):
        page.goto(path)
        is_at_login(page)


def test_a_page_that_does_not_exist_says_so_and_leads_back(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    answer = page.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    page.get_by_role("link", name="Go to your tasks").click()
    TasksPage(page).shown()


def test_the_same_person_sees_in_another_window_what_was_done_in_this_one(at_tasks: Opens, alice: Person) -> None:
    here, there = at_tasks(alice), at_tasks(alice)
    here.add("Buy milk")
    there.open().reads("Buy milk")
    there.tick("Buy milk")
    here.open()
    expect(here.check("Buy milk")).to_be_checked()


def test_more_tasks_than_the_service_tells_at_once_are_all_shown(
    windows: Windows, tasks_of: TasksOf, api: Api, alice: Person
) -> None:
    titles = [f"Task {number}" for number in range(5)]
    tasks_of(alice).add(*titles)
    page = windows.open(alice)
    asked = calls(page, api)
    # Two at once instead of a thousand: five tasks are as good then.
    page.route("**/tasks?**", lambda route: route.continue_(url=route.request.url.replace("limit=1000", "limit=2")))
    TasksPage(page).open().reads(*reversed(titles))
    assert len(asked) == 3
