from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from attrs import frozen
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage, go, notice, problem, send_sign_in, sign_in


def turn_on(page: Page, password: str) -> Locator:
    """Turn on two-factor authentication on the account page, up to the form for the first code."""
    page.goto("/account")
    form = page.get_by_role("region", name="Two-factor authentication")
    form.get_by_label("Password").fill(password)
    form.get_by_role("button", name="Turn on").click()
    expect(form.get_by_label("Code from your authenticator app")).to_be_visible()
    return form


@frozen
class Enrolled:
    """A person whose account requires a second factor."""

    person: Person
    app: pyotp.TOTP
    backup_codes: list[str]
    page: Page
    """The account page where they turned it on."""


@pytest.fixture
def enrolled(windows: Windows, alice: Person) -> Enrolled:
    page = windows.open(alice, is_far=True)
    form = turn_on(page, alice.password)
    expect(form.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    key = form.get_by_text("Key:").locator("code").inner_text()
    codes = form.get_by_role("listitem").all_inner_texts()
    app = pyotp.TOTP(key)
    form.get_by_label("Code from your authenticator app").fill(app.now())
    form.get_by_role("button", name="Verify").click()
    expect(notice(page)).to_contain_text("Two-factor authentication is on.")
    return Enrolled(alice, app, codes, page)


def open_code_form(windows: Windows, person: Person) -> Page:
    """Sign in with the password, up to the form for the code."""
    page = windows.open(is_far=True)
    go(page, "/login")
    send_sign_in(page, person)
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()
    return page


def wrong(code: str) -> str:
    return f"{(int(code) + 500_000) % 1_000_000:06}"


def test_a_wrong_password_or_code_does_not_turn_it_on(windows: Windows, alice: Person) -> None:
    page = windows.open(alice, is_far=True)
    page.goto("/account")
    form = page.get_by_role("region", name="Two-factor authentication")
    form.get_by_label("Password").fill("not the pass phrase")
    form.get_by_role("button", name="Turn on").click()
    expect(problem(page)).to_have_text("Invalid password")

    form = turn_on(page, alice.password)
    key = form.get_by_text("Key:").locator("code").inner_text()
    form.get_by_label("Code from your authenticator app").fill(wrong(pyotp.TOTP(key).now()))
    form.get_by_role("button", name="Verify").click()
    expect(problem(page)).to_have_text("Invalid code")
    sign_in(windows.open(is_far=True), alice)


def test_signing_in_requires_the_code_of_the_app(windows: Windows, enrolled: Enrolled) -> None:
    page = open_code_form(windows, enrolled.person)
    field = page.get_by_label("Code from your authenticator app")
    field.fill(wrong(enrolled.app.now()))
    page.keyboard.press("Enter")
    expect(problem(page)).to_have_text("Invalid code")
    page.goto("/tasks")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    page = open_code_form(windows, enrolled.person)
    code = enrolled.app.at(datetime.now(UTC) + timedelta(seconds=30))  # a code works once
    page.get_by_label("Code from your authenticator app").fill(f"{code[:3]} {code[3:]}")
    page.keyboard.press("Enter")
    TasksPage(page).shown()


def test_a_backup_code_works_once(windows: Windows, enrolled: Enrolled) -> None:
    assert len(set(enrolled.backup_codes)) == len(enrolled.backup_codes) >= 8
    code = enrolled.backup_codes[0]
    page = open_code_form(windows, enrolled.person)
    page.get_by_role("button", name="Use a backup code").click()
    page.get_by_label("Backup code").fill(code)
    page.keyboard.press("Enter")
    TasksPage(page).shown()

    page = open_code_form(windows, enrolled.person)
    page.get_by_role("button", name="Use a backup code").click()
    page.get_by_label("Backup code").fill(code)
    page.keyboard.press("Enter")
    expect(problem(page)).to_have_text("Invalid backup code")
    page.get_by_role("button", name="Use your authenticator app").click()
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()


def test_once_turned_off_the_password_is_sufficient_again(windows: Windows, enrolled: Enrolled) -> None:
    page = enrolled.page
    page.goto("/account")
    form = page.get_by_role("region", name="Two-factor authentication")
    expect(form).to_contain_text("On. Signing in requires a code")
    form.get_by_label("Password").fill("not the pass phrase")
    form.get_by_role("button", name="Turn off").click()
    expect(problem(page)).to_have_text("Invalid password")
    form.get_by_label("Password").fill(enrolled.person.password)
    form.get_by_role("button", name="Turn off").click()
    expect(notice(page)).to_contain_text("Two-factor authentication is off.")
    sign_in(windows.open(is_far=True), enrolled.person)
