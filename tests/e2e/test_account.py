import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Frontend, Person, printed_link
from tests.support.pages import TasksPage, go, is_alive, is_at_login, is_expired, notice, problem, send_sign_in, sign_in

NEW_PASSWORD = "another pass phrase"


def open_account(windows: Windows, person: Person) -> Page:
    page = windows.open(person, is_far=True)
    page.goto("/account")
    expect(page.get_by_text("Current session, signed in")).to_be_visible()
    return page


def section(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title)


def sessions(page: Page) -> Locator:
    return section(page, "Sessions").get_by_role("listitem")


def test_all_sessions_are_listed_the_current_one_first(windows: Windows, alice: Person) -> None:
    alice.elsewhere().sign_in()
    page = open_account(windows, alice)
    expect(sessions(page)).to_have_count(2)
    expect(sessions(page).first).to_contain_text("Current session, signed in")
    expect(sessions(page).first.get_by_role("button")).to_have_count(0)
    assert sessions(page).last.locator("time").get_attribute("datetime")


def test_a_session_shows_the_browser_and_operating_system(windows: Windows, alice: Person) -> None:
    page = windows.open(is_far=True)
    sign_in(page, alice)
    page.get_by_role("link", name="Account").click()
    expect(sessions(page).first).to_contain_text(re.compile("Chrome on (Linux|macOS|Windows)"))


def test_a_session_can_be_revoked_from_another(windows: Windows, alice: Person) -> None:
    elsewhere = alice.elsewhere().sign_in()
    page = open_account(windows, alice)
    sessions(page).last.get_by_role("button", name="Revoke").click()
    expect(sessions(page)).to_have_count(1)
    assert elsewhere.session() is None
    assert alice.session() is not None


def test_a_sign_out_everywhere_ends_every_session(windows: Windows, alice: Person) -> None:
    elsewhere = alice.elsewhere().sign_in()
    page = open_account(windows, alice)
    page.get_by_role("button", name="Sign out everywhere").click()
    is_at_login(page)
    assert [person.session() for person in (alice, elsewhere)] == [None, None]


def test_changing_the_password_ends_the_other_sessions(windows: Windows, alice: Person) -> None:
    elsewhere = alice.elsewhere().sign_in()
    page = open_account(windows, alice)
    form = section(page, "Password")
    form.get_by_label("Current password").fill("not the pass phrase")
    form.get_by_label("New password").fill(NEW_PASSWORD)
    form.get_by_role("button", name="Change password").click()
    expect(problem(page)).to_have_text("Invalid password")

    form.get_by_label("Current password").fill(alice.password)
    form.get_by_role("button", name="Change password").click()
    expect(notice(page)).to_contain_text("Password changed. All other sessions were signed out.")
    expect(form.get_by_label("New password")).to_have_value("")
    expect(sessions(page)).to_have_count(1)
    assert elsewhere.session() is None
    page.get_by_role("link", name="Tasks").click()
    TasksPage(page).shown()

    fresh = windows.open(is_far=True)
    go(fresh, "/login")
    send_sign_in(fresh, alice)
    expect(problem(fresh)).to_have_text("Invalid email or password")
    send_sign_in(fresh, alice, password=NEW_PASSWORD)
    TasksPage(fresh).shown()


def test_a_password_that_is_too_short_is_not_submitted(windows: Windows, alice: Person) -> None:
    page = open_account(windows, alice)
    form = section(page, "Password")
    form.get_by_label("Current password").fill(alice.password)
    form.get_by_label("New password").press_sequentially("short")
    form.get_by_role("button", name="Change password").click()
    assert form.get_by_label("New password").evaluate("field => field.validity.tooShort")
    assert alice.elsewhere().sign_in().session() is not None


def test_deleting_the_account_requires_the_password(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Buy milk")
    page = open_account(windows, alice)
    open_button = page.get_by_role("button", name="Delete account…")
    open_button.click()
    dialog = page.get_by_role("dialog", name="Delete your account?")
    expect(dialog.get_by_label("Password")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    expect(open_button).to_be_focused()

    open_button.click()
    dialog.get_by_label("Password").fill("not the pass phrase")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Invalid password")
    assert alice.session() is not None

    dialog.get_by_label("Password").fill(alice.password)
    dialog.get_by_role("button", name="Delete account").click()
    is_at_login(page)
    is_alive(page)
    send_sign_in(page, alice)
    expect(problem(page)).to_have_text("Invalid email or password")


def test_a_forgotten_password_is_set_anew_by_a_link(windows: Windows, web: Frontend, alice: Person) -> None:
    page = windows.open(is_far=True)
    go(page, "/login")
    page.get_by_role("link", name="Forgotten your password?").click()
    expect(page.get_by_role("heading", name="Forgotten password")).to_be_visible()
    before = len(web.log)
    page.get_by_label("Email").fill(alice.email)
    page.get_by_role("button", name="Send a link").click()
    expect(page.get_by_role("status").filter(has_text="a link is on its way")).to_be_visible()
    page.goto(printed_link(web, alice.email, before))
    is_alive(page)
    expect(page).to_have_url(re.compile("/reset-password$"))  # the token is not left in the history
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status").filter(has_text="The password is changed")).to_be_visible()
    assert alice.session() is None
    page.get_by_role("link", name="Sign in").click()
    is_alive(page)
    send_sign_in(page, alice, password=NEW_PASSWORD)
    TasksPage(page).shown()


def test_a_reset_link_works_once(windows: Windows, web: Frontend, alice: Person) -> None:
    assert alice.post("/request-password-reset", email=alice.email).is_success
    link = printed_link(web, alice.email)
    page = windows.open(is_far=True)
    for outcome in ("The password is changed", "The link has expired or was used already"):
        go(page, link.removeprefix(web.url))
        page.get_by_label("New password").fill(NEW_PASSWORD)
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text(outcome)).to_be_visible()


def test_the_name_and_the_address_can_be_changed(windows: Windows, web: Frontend, alice: Person) -> None:
    new_address = web.person().email
    page = open_account(windows, alice)
    form = section(page, "Name and address")
    form.get_by_label("Name").fill("Ada Lovelace")
    form.get_by_role("button", name="Change name").click()
    expect(page.get_by_text(f"Ada Lovelace, {alice.email}")).to_be_visible()

    form.get_by_label("New email address").fill(new_address)
    form.get_by_label("Password").fill("not the pass phrase")
    form.get_by_role("button", name="Change address").click()
    expect(problem(page)).to_have_text("Invalid password")
    form.get_by_label("Password").fill(alice.password)
    form.get_by_role("button", name="Change address").click()
    expect(notice(page)).to_contain_text("Open the link in the mail")
    page.goto(printed_link(web, new_address))
    expect(page.get_by_role("heading", name="Email address confirmed")).to_be_visible()
    page.goto("/account")
    expect(page.get_by_text(f"Ada Lovelace, {new_address}")).to_be_visible()


def test_the_other_sessions_can_be_ended_at_once(windows: Windows, alice: Person) -> None:
    elsewhere = [alice.elsewhere().sign_in() for _ in range(2)]
    page = open_account(windows, alice)
    expect(sessions(page)).to_have_count(3)
    page.get_by_role("button", name="Sign out elsewhere").click()
    expect(sessions(page)).to_have_count(1)
    assert [person.session() for person in elsewhere] == [None, None]
    assert alice.session() is not None


def test_the_button_of_a_session_names_it(windows: Windows, alice: Person) -> None:
    sign_in(windows.open(is_far=True), alice)
    page = open_account(windows, alice)
    button = sessions(page).last.get_by_role("button")
    expect(button).to_have_accessible_name(re.compile("^Revoke: Chrome on (Linux|macOS|Windows), signed in .+"))


@pytest.mark.parametrize("path", ["/account", "/tasks"])
def test_a_page_opened_after_the_session_was_revoked_elsewhere_redirects_to_sign_in(
    windows: Windows, alice: Person, path: str
) -> None:
    page = open_account(windows, alice)
    alice.elsewhere().sign_in().revoke_others()
    page.goto(path)
    is_at_login(page)


def test_navigating_after_the_session_was_revoked_elsewhere_leads_to_sign_in(windows: Windows, alice: Person) -> None:
    page = open_account(windows, alice)
    alice.elsewhere().sign_in().revoke_others()
    page.get_by_role("link", name="Tasks").click()
    expect(page).to_have_url(re.compile("/tasks$|/login"))
    if "/login" not in page.url:
        is_expired(page)
