"""With a second factor, a password alone gives no session, and without a session there is no token."""

from collections.abc import Callable

import pyotp
import pytest
from attrs import frozen

from tests.support.frontend import Frontend, Person
from tests.support.interop_calls import accepts
from tests.support.service import Service


@frozen
class Careful:
    """Somebody whose account asks for a second factor."""

    person: Person
    code: Callable[[], str]
    """What their authenticator shows now."""
    backup_codes: list[str]

    def with_the_password_alone(self) -> Person:
        there = self.person.elsewhere()
        answer = there.post("/sign-in/email", email=there.email, password=there.password)
        assert answer.status_code == 200, answer.text
        assert answer.json()["twoFactorRedirect"] is True
        return there


@pytest.fixture
def careful(web: Frontend) -> Careful:
    person = web.person().sign_up()
    enabled = person.post("/two-factor/enable", password=person.password)
    assert enabled.is_success, enabled.text
    authenticator = pyotp.parse_uri(enabled.json()["totpURI"])
    assert isinstance(authenticator, pyotp.TOTP)
    verified = person.post("/two-factor/verify-totp", code=authenticator.now())
    assert verified.is_success, verified.text
    return Careful(person, authenticator.now, enabled.json()["backupCodes"])


def test_the_password_alone_gives_no_token(careful: Careful) -> None:
    there = careful.with_the_password_alone()

    assert there.session() is None
    assert there.get("/token").status_code == 401


def test_with_the_authenticators_code_a_token_can_be_had(careful: Careful, api: Service) -> None:
    there = careful.with_the_password_alone()

    assert there.post("/two-factor/verify-totp", code=careful.code()).is_success

    assert accepts(api, there.token())


def test_with_a_wrong_code_no_token_can_be_had(careful: Careful) -> None:
    there = careful.with_the_password_alone()
    wrong = f"{(int(careful.code()) + 500_000) % 1_000_000:06}"

    assert there.post("/two-factor/verify-totp", code=wrong).status_code == 401

    assert there.get("/token").status_code == 401


def test_a_backup_code_stands_in_for_the_authenticator(careful: Careful, api: Service) -> None:
    there = careful.with_the_password_alone()

    assert there.post("/two-factor/verify-backup-code", code=careful.backup_codes[0]).is_success

    assert accepts(api, there.token())


def test_a_backup_code_works_once(careful: Careful) -> None:
    used, fresh, *_ = careful.backup_codes
    first = careful.with_the_password_alone()
    assert first.post("/two-factor/verify-backup-code", code=used).is_success

    second = careful.with_the_password_alone()

    assert second.post("/two-factor/verify-backup-code", code=used).status_code == 401
    assert second.get("/token").status_code == 401
    assert second.post("/two-factor/verify-backup-code", code=fresh).is_success


def test_guesses_at_the_code_are_limited(careful: Careful) -> None:
    there = careful.with_the_password_alone()

    guesses = [there.post("/two-factor/verify-totp", code="000000").status_code for _ in range(4)]

    assert guesses[-1] == 429


def test_without_the_password_the_second_factor_cannot_be_turned_off(careful: Careful) -> None:
    assert careful.person.post("/two-factor/disable", password="a guess").status_code == 400

    assert careful.with_the_password_alone().get("/token").status_code == 401
