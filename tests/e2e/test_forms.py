"""The forms of the account pages: nothing that is typed or pasted is changed without a word."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_keys import COMPOSE, PRESS
from tests.support.browser import Windows, requests
from tests.support.frontend import Frontend, Person, printed_link
from tests.support.pages import fill_in, go, problem, sign_in


def paste_into(page: Page, label: str, text: str) -> None:
    """Insert a text as a paste does, which `fill` does not: only then the limit of a field applies."""
    page.get_by_label(label, exact=True).focus()
    page.keyboard.insert_text(text)


@pytest.mark.parametrize("characters", ["p" * 150, "\U0001f600" * 129])
def test_a_password_that_is_too_long_is_refused_and_not_cut(characters: str, windows: Windows) -> None:
    """Cut to the limit it would be set, and the person who pastes it again to sign in would be locked out."""
    page = windows.open(is_far=True)
    go(page, "/signup")
    fill_in(page, Name="Ada", Email="long@example.com")
    paste_into(page, "Password", characters)
    page.get_by_role("button", name="Sign up").click()
    expect(problem(page)).to_have_text("The password must have at most 128 characters.")
    expect(page.get_by_label("Password")).to_have_value(characters)


@pytest.mark.parametrize(
    ("path", "label", "button", "text", "message"),
    [
        ("/signup", "Email", "Sign up", f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example", "too long"),
        ("/signup", "Name", "Sign up", "x" * 201, "at most 100 characters"),
    ],
)
def test_an_address_and_a_name_that_are_too_long_are_not_cut(
    path: str, label: str, button: str, text: str, message: str, windows: Windows
) -> None:
    page = windows.open(is_far=True)
    go(page, path)
    fill_in(page, **{"Name": "Ada", "Email": "long@example.com", "Password": "a long enough pass phrase", label: ""})
    paste_into(page, label, text)
    page.get_by_role("button", name=button).click()
    expect(problem(page)).to_contain_text(message)
    expect(page.get_by_label(label)).to_have_value(text)


@pytest.mark.parametrize("path", ["/signup", "/account"])
def test_enter_belongs_to_an_input_method_that_composes_a_name(path: str, windows: Windows, alice: Person) -> None:
    """In Safari's order of events, too, where the key comes after the end of the composition."""
    page = windows.open(alice if path == "/account" else None, is_far=True)
    go(page, path)
    page.get_by_label("Name", exact=True).focus()
    for more in ("{ isComposing: true }", "{ keyCode: 229 }"):
        assert page.evaluate(f"({PRESS})(['Enter', 'Enter', {more}])")
    assert page.evaluate(f"({COMPOSE})(); ({PRESS})(['Enter', 'Enter', {{}}])")


def test_a_reset_page_that_was_reloaded_says_what_to_do(windows: Windows, web: Frontend, alice: Person) -> None:
    """The token is not in the address any more."""
    alice.post("/request-password-reset", email=alice.email)
    link = printed_link(web, alice.email)
    page = windows.open(is_far=True)
    go(page, link)
    page.wait_for_url("**/reset-password")
    sent = requests(page, lambda request: request.method == "POST")
    page.reload()
    expect(page.get_by_text("Open the link in the mail again")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    assert sent == []
    go(page, link)
    fill_in(page, New_password="another pass phrase")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("The password is changed")).to_be_visible()
    sign_in(page, alice, password="another pass phrase")
