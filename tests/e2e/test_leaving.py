from playwright.sync_api import expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows, another
from tests.support.frontend import Person
from tests.support.pages import TasksPage, is_at_login, sign_out


def test_going_back_after_a_sign_out_shows_no_tasks(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Alice's secret")
    page = windows.open(alice)
    page.goto("/account")
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    page.get_by_role("link", name="Tasks").click()
    TasksPage(page).shown().reads("Alice's secret")
    sign_out(page)
    page.go_back()
    is_at_login(page)
    assert "secret" not in page.content()


def test_a_page_from_the_back_forward_cache_is_not_shown_after_a_sign_out(at_tasks: Opens, alice: Person) -> None:
    tasks = at_tasks(alice).add("Alice's secret")
    alice.sign_out()
    tasks.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    is_at_login(tasks.page)
    assert "secret" not in tasks.page.content()


def test_a_sign_out_in_one_tab_signs_out_all_tabs(at_tasks: Opens, alice: Person) -> None:
    here = at_tasks(alice).add("Alice's secret")
    there = TasksPage(another(here.page)).open().reads("Alice's secret")
    account = another(here.page)
    account.goto("/account")
    expect(account.get_by_text("Current session")).to_be_visible()
    sign_out(here.page)
    for page in (there.page, account):
        is_at_login(page)
        assert "secret" not in page.content()


def test_a_sign_out_ends_the_session_on_the_server(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    sign_out(page)
    assert alice.session() is None
    assert alice.get("/token").status_code == 401
    assert page.context.cookies() == []


def test_the_next_user_of_the_same_window_sees_only_their_own_tasks(
    windows: Windows, tasks_of: TasksOf, alice: Person, bob: Person
) -> None:
    tasks_of(alice).add("Alice's secret")
    tasks_of(bob).add("Bob's secret")
    page = windows.open(alice, is_far=True)
    TasksPage(page).open().reads("Alice's secret")
    sign_out(page)
    page.get_by_label("Email").fill(bob.email)
    page.get_by_label("Password").fill(bob.password)
    page.keyboard.press("Enter")
    TasksPage(page).shown().reads("Bob's secret")
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text(bob.email)).to_be_visible()
    page.get_by_role("link", name="Tasks").click()
    TasksPage(page).shown().reads("Bob's secret")
