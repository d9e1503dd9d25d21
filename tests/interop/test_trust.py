"""What proves who somebody is at the frontend: each proof is demanded, works once, and ends with the password (V11)."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pyotp
import pytest
from attrs import frozen

from tests.support.frontend import PASSWORD, Frontend, Person, frontend, printed_link
from tests.support.mail_server import LINK, MailServer, mail_server
from tests.support.postgres import execute
from tests.support.service import eventually

NEW_PASSWORD = "another pass phrase"
PERIOD = timedelta(seconds=30)


@frozen
class Enrolled:
    """A person with a second factor, and the code with which they have turned it on."""

    person: Person
    app: pyotp.TOTP
    first_code: str
    backup_codes: list[str]

    def fresh_code(self) -> str:
        """The code of the next 30 seconds, which is accepted already, and was not used."""
        return self.app.at(datetime.now(UTC) + PERIOD)

    def challenged(self) -> Person:
        """They elsewhere, after the password."""
        there = self.person.elsewhere()
        answer = there.post("/sign-in/email", email=there.email, password=there.password)
        assert answer.json()["twoFactorRedirect"] is True
        return there


@pytest.fixture
def enrolled(web: Frontend) -> Enrolled:
    person = web.person().sign_up()
    answer = person.post("/two-factor/enable", password=PASSWORD)
    assert answer.is_success, answer.text
    app = pyotp.parse_uri(answer.json()["totpURI"])
    assert isinstance(app, pyotp.TOTP)
    code = app.now()
    assert person.post("/two-factor/verify-totp", code=code).is_success
    return Enrolled(person, app, code, answer.json()["backupCodes"])


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


# The second factor


def test_v11_a_code_works_once(enrolled: Enrolled) -> None:
    code = enrolled.fresh_code()
    assert enrolled.challenged().post("/two-factor/verify-totp", code=code).is_success
    again = enrolled.challenged()
    assert again.post("/two-factor/verify-totp", code=code).status_code == 401
    assert again.session() is None


def test_v11_a_code_works_once_also_at_the_same_time(enrolled: Enrolled) -> None:
    code = enrolled.fresh_code()
    people = [enrolled.challenged() for _ in range(6)]
    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda person: person.post("/two-factor/verify-totp", code=code).status_code, people))
    assert sorted(answers) == [200, 401, 401, 401, 401, 401]


def test_v11_the_code_that_turned_the_factor_on_is_used_up(enrolled: Enrolled) -> None:
    there = enrolled.challenged()
    assert there.post("/two-factor/verify-totp", code=enrolled.first_code).status_code == 401


def test_v11_a_wrong_code_is_not_used_up(enrolled: Enrolled) -> None:
    wrong = f"{(int(enrolled.app.now()) + 500_000) % 1_000_000:06}"
    there = enrolled.challenged()
    for _ in range(2):
        assert there.post("/two-factor/verify-totp", code=wrong).status_code == 401
    assert there.post("/two-factor/verify-totp", code=enrolled.fresh_code()).is_success


SPELLINGS: dict[str, Callable[[str], str]] = {
    "a blank": lambda code: f"{code[:3]} {code[3:]}",
    "blanks around": lambda code: f"  {code}\t\n",
    "a no-break space": lambda code: f"{code[:3]}\u00a0{code[3:]}",
    "full width": lambda code: code.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_v11_codes_are_accepted_as_people_type_them(enrolled: Enrolled, spelling: str) -> None:
    spelled = SPELLINGS[spelling]
    assert enrolled.challenged().post("/two-factor/verify-totp", code=spelled(enrolled.fresh_code())).is_success
    backup = enrolled.backup_codes[0]
    assert enrolled.challenged().post("/two-factor/verify-backup-code", code=spelled(backup)).is_success
    without = enrolled.backup_codes[1].replace("-", "")
    assert enrolled.challenged().post("/two-factor/verify-backup-code", code=without).is_success


@pytest.mark.parametrize("kind", ["totp", "backup-code"])
def test_v11_no_device_can_be_trusted(enrolled: Enrolled, kind: str) -> None:
    code = enrolled.fresh_code() if kind == "totp" else enrolled.backup_codes[0]
    there = enrolled.challenged()
    there.post(f"/two-factor/verify-{kind}", code=code, trustDevice=True)
    assert not [name for name in there.http.cookies if "trust" in name]
    again = there.post("/sign-in/email", email=there.email, password=there.password)
    assert again.json().get("twoFactorRedirect") is True


@pytest.mark.parametrize("change", ["/two-factor/disable", "/two-factor/generate-backup-codes"])
def test_v11_changing_the_factor_takes_the_password(enrolled: Enrolled, change: str) -> None:
    for body in ({}, {"password": ""}, {"password": "a guess"}):
        assert enrolled.person.post(change, **body).status_code == 400
    assert enrolled.challenged().session() is None


# What ends with the password, and with the factor


def change_password(person: Person) -> None:
    answer = person.post("/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD)
    assert answer.is_success, answer.text


def reset_password(person: Person, web: Frontend) -> None:
    before = len(web.log)
    assert person.elsewhere().post("/request-password-reset", email=person.email).is_success
    token = token_of(printed_link(web, person.email, before))
    assert person.elsewhere().post("/reset-password", token=token, newPassword=NEW_PASSWORD).is_success


@pytest.mark.parametrize("how", ["changed", "reset", "changed, keeping sessions"])
def test_v11_a_new_password_ends_what_the_old_one_has_opened(web: Frontend, enrolled: Enrolled, how: str) -> None:
    person = enrolled.person
    elsewhere = enrolled.challenged()
    assert elsewhere.post("/two-factor/verify-totp", code=enrolled.fresh_code()).is_success
    pending = enrolled.challenged()
    assert person.elsewhere().post("/request-password-reset", email=person.email).is_success
    old_link = token_of(printed_link(web, person.email))

    if how == "reset":
        reset_password(person, web)
    elif how == "changed":
        change_password(person)
    else:
        body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "revokeOtherSessions": False}
        assert person.post("/change-password", **body).is_success

    assert elsewhere.session() is None
    assert pending.post("/two-factor/verify-backup-code", code=enrolled.backup_codes[0]).status_code == 401
    assert pending.session() is None
    third = person.elsewhere().post("/reset-password", token=old_link, newPassword="a third pass phrase")
    assert third.status_code == 400


def test_v11_a_device_that_was_trusted_before_is_not_any_more(shared: dict[str, str], enrolled: Enrolled) -> None:
    """Trust from an earlier version of the frontend, which set such cookies."""
    columns = '(id, identifier, value, "expiresAt", "createdAt", "updatedAt")'
    values = f"('trusted', 'trust-device-x', '{enrolled.person.user_id}', now() + interval '1 day', now(), now())"
    execute(shared["DATABASE_URL"], f"INSERT INTO auth.verification {columns} VALUES {values}")
    change_password(enrolled.person)

    async def count() -> int:
        connection = await asyncpg.connect(shared["DATABASE_URL"])
        try:
            query = "SELECT count(*) FROM auth.verification WHERE value = $1"
            return int(await connection.fetchval(query, enrolled.person.user_id))
        finally:
            await connection.close()

    assert asyncio.run(count()) == 0


def test_v11_turning_the_factor_on_or_off_ends_the_other_sessions(web: Frontend) -> None:
    person = web.person().sign_up()
    elsewhere = person.elsewhere().sign_in()
    answer = person.post("/two-factor/enable", password=PASSWORD)
    app = pyotp.parse_uri(answer.json()["totpURI"])
    assert isinstance(app, pyotp.TOTP)
    assert person.post("/two-factor/verify-totp", code=app.now()).is_success
    assert elsewhere.session() is None
    assert person.session() is not None

    there = person.elsewhere()
    there.post("/sign-in/email", email=there.email, password=PASSWORD)
    code = app.at(datetime.now(UTC) + PERIOD)
    assert there.post("/two-factor/verify-totp", code=code).is_success
    assert person.post("/two-factor/disable", password=PASSWORD).is_success
    assert there.session() is None
    assert person.session() is not None


# Whose address it is


def test_v11_a_sign_up_looks_the_same_whether_or_not_the_address_is_known(web: Frontend) -> None:
    known = web.person().sign_up()
    answers = []
    for address in (known.email, known.email.upper(), web.person().email):
        person = web.person(address)
        answer = person.post("/sign-up/email", name="Ada", email=address, password=NEW_PASSWORD)
        body = answer.json()
        shape = {name: type(value) for name, value in body["user"].items()}
        cookies = [re.sub(r"=[^;]+;", "=…;", line, count=1) for line in answer.headers.get_list("Set-Cookie")]
        lengths = len(body["token"]), len(body["user"]["id"])
        answers.append((answer.status_code, list(body), shape, cookies, lengths))
    assert answers[0] == answers[1] == answers[2]
    assert known.elsewhere().sign_in().user_id == known.user_id  # nothing has changed for them


def test_v11_the_session_of_a_sign_up_with_a_known_address_is_none(web: Frontend) -> None:
    known = web.person().sign_up()
    intruder = web.person(known.email)
    assert intruder.post("/sign-up/email", name="Ada", email=known.email, password=NEW_PASSWORD).is_success
    assert intruder.session() is None
    assert intruder.get("/token").status_code == 401
    assert intruder.post("/update-user", name="Mallory").status_code == 401


@pytest.mark.parametrize("path", ["/request-password-reset", "/send-verification-email"])
def test_v11_asking_for_a_mail_does_not_tell_whether_the_address_is_known(web: Frontend, path: str) -> None:
    known = web.person().sign_up()
    answers = [web.person().post(path, email=address) for address in (known.email, "nobody@example.com")]
    assert answers[0].status_code == answers[1].status_code == 200
    assert answers[0].json() == answers[1].json()


# What takes the password


def test_v11_deleting_the_account_takes_the_password(web: Frontend) -> None:
    person = web.person().sign_up()
    for body in ({}, {"password": ""}, {"password": None}, {"password": "a guess"}, {"token": "x"}):
        answer = person.http.post(
            "/delete-user", json=body, headers={"X-Forwarded-For": f"198.51.100.{len(str(body))}"}
        )
        assert answer.status_code == 400, body
    assert person.session() is not None
    person.delete_user()
    assert person.session() is None


def test_v11_a_new_address_takes_the_password_and_a_link(web: Frontend) -> None:
    person, new = web.person().sign_up(), web.person().email
    for password in ("", "a guess"):
        assert person.post("/change-email", newEmail=new, password=password).status_code == 400
    assert person.post("/change-email", newEmail=new, password=PASSWORD).is_success
    link = printed_link(web, new)
    assert person.get("/get-session").json()["user"]["email"] == person.email
    answer = person.http.get(link)
    assert answer.headers["Location"].endswith("/verified")
    assert person.get("/get-session").json()["user"]["email"] == new
    assert web.person(new).sign_in().user_id == person.user_id


def test_v11_a_new_password_ends_a_link_to_another_address(web: Frontend) -> None:
    person, new = web.person().sign_up(), web.person().email
    assert person.post("/change-email", newEmail=new, password=PASSWORD).is_success
    link = printed_link(web, new)
    issued = datetime.now(UTC)
    eventually(lambda: datetime.now(UTC) - issued > timedelta(seconds=1))  # links know the second of their issue
    change_password(person)
    assert "error=" in person.http.get(link).headers["Location"]
    assert person.get("/get-session").json()["user"]["email"] == person.email


def test_v11_a_new_address_ends_what_was_sent_to_the_old_one(web: Frontend) -> None:
    """Who reads the old mailbox, perhaps the reason for the change, cannot set a password any more."""
    person, new = web.person().sign_up(), web.person().email
    assert person.elsewhere().post("/request-password-reset", email=person.email).is_success
    old_link = token_of(printed_link(web, person.email))
    assert person.post("/change-email", newEmail=new, password=PASSWORD).is_success
    link = printed_link(web, new)
    assert person.http.get(link.replace("token=", "token=x")).headers["Location"].endswith("error=INVALID_TOKEN")
    assert person.http.get(link).headers["Location"].endswith("/verified")
    stranger = person.elsewhere()
    assert stranger.post("/reset-password", token=old_link, newPassword=NEW_PASSWORD).status_code == 400
    assert person.session() is not None
    assert web.person(new).sign_in().user_id == person.user_id


def test_v11_a_link_to_another_address_works_once(web: Frontend) -> None:
    """Also when the account is back at the address that the link was made for."""
    person, other = web.person().sign_up(), web.person().email
    first = person.email
    assert person.post("/change-email", newEmail=other, password=PASSWORD).is_success
    link = printed_link(web, other)
    issued = datetime.now(UTC)
    eventually(lambda: datetime.now(UTC) - issued > timedelta(seconds=1))  # links know the second of their issue
    assert person.http.get(link).headers["Location"].endswith("/verified")
    before = len(web.log)
    back = {"X-Forwarded-For": "198.51.100.77"}  # no count against a rate limit yet
    answer = person.http.post("/change-email", json={"newEmail": first, "password": PASSWORD}, headers=back)
    assert answer.is_success
    assert person.http.get(printed_link(web, first, before)).headers["Location"].endswith("/verified")
    assert "error=" in person.elsewhere().http.get(link).headers["Location"]
    assert person.get("/get-session").json()["user"]["email"] == first


def test_v11_a_new_address_that_is_known_changes_nothing_and_tells_nothing(web: Frontend) -> None:
    person, known = web.person().sign_up(), web.person().sign_up()
    answers = [
        person.post("/change-email", newEmail=new, password=PASSWORD) for new in (known.email, web.person().email)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_v11_an_old_session_can_list_and_end_sessions(web: Frontend, shared: dict[str, str]) -> None:
    person = web.person().sign_up()
    elsewhere = person.elsewhere().sign_in()
    aged = """UPDATE auth.session SET "createdAt" = now() - interval '3 days' WHERE "userId" = """
    execute(shared["DATABASE_URL"], f"{aged}'{person.user_id}'")
    assert len(person.get("/list-sessions").json()) == 2
    person.revoke_others()
    assert elsewhere.session() is None
    assert person.post("/delete-user").status_code == 400


# With a mail server


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(mails: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    settings = {"EVO_TODO_SMTP_URL": mails.url, "EVO_TODO_MAIL_FROM": "Evo-TODO <todo@example.com>"}
    with frontend(folder=tmp_path_factory.mktemp("mailing"), settings=settings) as web:
        yield web


def sign_up(person: Person) -> httpx.Response:
    return person.post("/sign-up/email", name="Ada", email=person.email, password=person.password)


def test_v11_with_a_mail_server_only_who_reads_the_mail_can_sign_in(mailing: Frontend, mails: MailServer) -> None:
    person = mailing.person()
    answer = sign_up(person)
    assert (answer.status_code, answer.json()["token"]) == (200, None)
    assert not answer.headers.get_list("Set-Cookie")
    link = mails.link_to(person.email)
    assert person.elsewhere().post("/sign-in/email", email=person.email, password=PASSWORD).status_code == 403
    assert person.http.get(link).headers["Location"].endswith("/verified")
    assert person.elsewhere().sign_in().session() is not None

    stranger = mailing.person(person.email)
    again = sign_up(stranger)
    assert (again.status_code, again.json()["token"]) == (200, None)
    eventually(lambda: any("already" in mail["Subject"] for mail in mails.to(person.email)))
    [mail] = [mail for mail in mails.to(person.email) if "already" in mail["Subject"]]
    assert LINK.findall(mail.get_content()) == [f"{mailing.url}/login"]
    assert person.email not in mailing.log


def test_v11_a_forgotten_password_is_set_anew_by_mail_once(mailing: Frontend, mails: MailServer) -> None:
    person = mailing.person()
    sign_up(person)
    person.http.get(mails.link_to(person.email))
    old = person.elsewhere().sign_in()
    assert person.post("/request-password-reset", email=person.email).is_success
    token = token_of(mails.link_to(person.email, mail=1))
    for status in (200, 400):
        assert person.post("/reset-password", token=token, newPassword=NEW_PASSWORD).status_code == status
    assert old.session() is None
    assert mailing.person(person.email, password=NEW_PASSWORD).sign_in().session() is not None


def test_without_a_mail_server_elsewhere_than_on_this_machine_no_link_is_printed(tmp_path: Path) -> None:
    settings = {"BETTER_AUTH_BASE_URL": "https://todo.example.com", "BETTER_AUTH_SECRETS": f"1:{'s' * 31}t"}
    with frontend(folder=tmp_path, settings=settings) as web:
        person = web.person()
        assert sign_up(person).is_success
        assert person.post("/request-password-reset", email=person.email).status_code == 400
        assert "Mail to" not in web.log
