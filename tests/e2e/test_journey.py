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


def test_a_new_user_signs_up_manages_tasks_signs_out_and_finds_them_again(windows: Windows, web: Frontend) -> None:
    page = windows.open()
    page.goto("/")
    is_at_login(page)
    page.get_by_role("link", name="Sign up").click()
    expect(page.get_by_role("heading", name="Sign up")).to_be_visible()
    newcomer = web.person(f"{uuid4().hex}@example.com")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Email").fill(newcomer.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()

    tasks = TasksPage(page).shown()
    expect(page.get_by_text("No tasks yet. Add your first task above.")).to_be_visible()
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
    expect(page.get_by_text("No matching tasks.")).to_be_visible()
    tasks.search.fill("")

    tasks.delete("Water the plants").reads("Buy milk", "Book the train to Turin")
    notice(page).get_by_role("button", name="Undo").click()
    tasks.reads("Buy milk", "Book the train to Turin", "Water the plants")
    expect(notice(page)).to_have_count(0)
    tasks.delete("Buy milk").reads("Book the train to Turin", "Water the plants")

    sign_out(page)
    sign_in(page, newcomer).reads("Book the train to Turin", "Water the plants")


def test_signing_up_and_adding_tasks_works_with_the_keyboard_only(windows: Windows, web: Frontend) -> None:
    page = windows.open()
    keys = page.keyboard
    newcomer = web.person()
    go(page, "/signup")
    expect(page.get_by_label("Name")).to_be_focused()
    for text in ("Ada", newcomer.email, PASSWORD):
        keys.type(text)
        keys.press("Tab")
    expect(page.get_by_role("button", name="Sign up")).to_be_focused()
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
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    keys.press("Tab")
    expect(tasks.check("second")).to_be_focused()
    keys.press("/")
    expect(tasks.search).to_be_focused()
    keys.press("Tab")
    keys.press("N")
    expect(tasks.new).to_be_focused()


def test_managing_tasks_works_with_the_keyboard_only(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("first", "second", "third")
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
    assert [(task["title"], task["completed"]) for task in stored.all()] == [("third", True)]


def test_the_focus_moves_to_the_next_task_when_one_leaves_the_view(
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


def test_holding_the_delete_key_deletes_one_task_only(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("first", "second")
    tasks = at_tasks(alice)
    tasks.check("second").focus()
    tasks.page.keyboard.down("Delete")
    tasks.page.keyboard.down("Delete")
    tasks.page.keyboard.up("Delete")
    expect(notice(tasks.page)).to_contain_text("“second” was deleted.")
    tasks.reads("first")


def test_shortcut_keys_typed_into_a_field_are_text(at_tasks: Opens, alice: Person) -> None:
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


def test_an_empty_description_is_saved_as_none(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("Buy milk", description="Two bottles")
    tasks = at_tasks(alice)
    tasks.edit("Buy milk").change(description="")
    expect(tasks.page.get_by_text("Two bottles")).to_have_count(0)
    tasks.open().reads("Buy milk")
    assert stored.all()[0]["description"] is None


def test_a_blank_title_is_neither_added_nor_saved(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    stored = tasks_of(alice)
    stored.add("Buy milk")
    tasks = at_tasks(alice)
    tasks.new.fill("   ")
    tasks.new.press("Enter")
    editor = tasks.edit("Buy milk")
    editor.title.fill("   ")
    editor.title.press("Enter")
    expect(editor.title).to_be_visible()
    editor.title.press("Escape")
    tasks.open().reads("Buy milk")
    assert stored.titles() == ["Buy milk"]


def test_a_wrong_password_shows_a_message_and_keeps_the_email(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    go(page, "/login")
    send_sign_in(page, alice, password="not the pass phrase")
    expect(problem(page)).to_have_text("Invalid email or password")
    expect(page.get_by_label("Email")).to_have_value(alice.email)
    assert "pass" not in page.url


def test_a_sign_up_with_a_known_address_leads_to_the_sign_in_page(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    go(page, "/signup")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Email").fill(alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(problem(page)).to_contain_text(
        "You could not be signed in. If you have an account with this address, sign in"
    )
    problem(page).get_by_role("link", name="set a new password").click()
    expect(page.get_by_role("heading", name="Forgotten password")).to_be_visible()


def test_too_many_wrong_passwords_show_a_message_to_wait(windows: Windows, alice: Person) -> None:
    page = windows.open()
    go(page, "/login")
    for _ in range(3):
        with page.expect_response("**/api/auth/sign-in/email"):
            send_sign_in(page, alice, password="not the pass phrase")
        expect(page.locator("form")).to_have_attribute("aria-busy", "false")
    send_sign_in(page, alice, password="not the pass phrase")
    expect(problem(page)).to_contain_text(re.compile("too many requests", re.IGNORECASE))


def test_a_signed_in_user_is_redirected_to_the_tasks(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    for path in ("/", "/login", "/signup"):
        page.goto(path)
        TasksPage(page).shown()


def test_a_signed_out_user_is_redirected_to_the_sign_in_page(windows: Windows) -> None:
    page = windows.open()
    for path in ("/", "/tasks", "/account"):
        page.goto(path)
        is_at_login(page)


def test_an_unknown_page_is_a_404_with_a_link_to_the_tasks(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    response = page.goto("/nowhere")
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    page.get_by_role("link", name="Go to your tasks").click()
    TasksPage(page).shown()


def test_changes_are_visible_in_another_window_of_the_same_user(at_tasks: Opens, alice: Person) -> None:
    here, there = at_tasks(alice), at_tasks(alice)
    here.add("Buy milk")
    there.open().reads("Buy milk")
    there.tick("Buy milk")
    here.open()
    expect(here.check("Buy milk")).to_be_checked()


def test_all_pages_of_a_long_list_are_loaded(windows: Windows, tasks_of: TasksOf, api: Api, alice: Person) -> None:
    titles = [f"Task {number}" for number in range(5)]
    tasks_of(alice).add(*titles)
    page = windows.open(alice)
    sent = calls(page, api)
    # Pages of two tasks instead of a thousand, so that five tasks need three pages.
    page.route("**/tasks?**", lambda route: route.continue_(url=route.request.url.replace("limit=1000", "limit=2")))
    TasksPage(page).open().reads(*reversed(titles))
    assert len(sent) == 3
