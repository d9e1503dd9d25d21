"""With a second factor, a password alone gives no session, and no token is issued without a session."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from attrs import frozen

from tests.support.frontend import Frontend, Person
from tests.support.interop_calls import accepts
from tests.support.service import Service


@frozen
class Enrolled:
    """A person whose account requires a second factor."""

    person: Person
    code: Callable[[], str]
    """The next code of their authenticator app."""
    backup_codes: list[str]

    def sign_in_with_password_only(self) -> Person:
        there = self.person.elsewhere()
        response = there.post("/sign-in/email", email=there.email, password=there.password)
        assert response.status_code == 200, response.text
        assert response.json()["twoFactorRedirect"] is True
        return there


@pytest.fixture
def enrolled(web: Frontend) -> Enrolled:
    person = web.person().sign_up()
    enabled = person.post("/two-factor/enable", password=person.password)
    assert enabled.is_success, enabled.text
    authenticator = pyotp.parse_uri(enabled.json()["totpURI"])
    assert isinstance(authenticator, pyotp.TOTP)
    verified = person.post("/two-factor/verify-totp", code=authenticator.now())
    assert verified.is_success, verified.text
    # A code works once: the next one is accepted already.
    code = lambda: authenticator.at(datetime.now(UTC) + timedelta(seconds=authenticator.interval))  # noqa: E731
    return Enrolled(person, code, enabled.json()["backupCodes"])


def test_the_password_alone_gives_no_token(enrolled: Enrolled) -> None:
    there = enrolled.sign_in_with_password_only()

    assert there.session() is None
    assert there.get("/token").status_code == 401


def test_with_the_code_of_the_authenticator_a_token_is_issued(enrolled: Enrolled, api: Service) -> None:
    there = enrolled.sign_in_with_password_only()

    assert there.post("/two-factor/verify-totp", code=enrolled.code()).is_success

    assert accepts(api, there.token())


def test_with_a_wrong_code_no_token_is_issued(enrolled: Enrolled) -> None:
    there = enrolled.sign_in_with_password_only()
    wrong = f"{(int(enrolled.code()) + 500_000) % 1_000_000:06}"

    assert there.post("/two-factor/verify-totp", code=wrong).status_code == 401

    assert there.get("/token").status_code == 401


def test_a_backup_code_replaces_the_code_of_the_authenticator(enrolled: Enrolled, api: Service) -> None:
    there = enrolled.sign_in_with_password_only()

    assert there.post("/two-factor/verify-backup-code", code=enrolled.backup_codes[0]).is_success

    assert accepts(api, there.token())


def test_a_backup_code_works_once(enrolled: Enrolled) -> None:
    used, fresh, *_ = enrolled.backup_codes
    first = enrolled.sign_in_with_password_only()
    assert first.post("/two-factor/verify-backup-code", code=used).is_success

    second = enrolled.sign_in_with_password_only()

    assert second.post("/two-factor/verify-backup-code", code=used).status_code == 401
    assert second.get("/token").status_code == 401
    assert second.post("/two-factor/verify-backup-code", code=fresh).is_success


def test_attempts_at_the_code_are_rate_limited(enrolled: Enrolled) -> None:
    there = enrolled.sign_in_with_password_only()

    guesses = [there.post("/two-factor/verify-totp", code="000000").status_code for _ in range(4)]

    assert guesses[-1] == 429


def test_turning_off_the_second_factor_requires_the_password(enrolled: Enrolled) -> None:
    assert enrolled.person.post("/two-factor/disable", password="a guess").status_code == 400

    assert enrolled.sign_in_with_password_only().get("/token").status_code == 401
