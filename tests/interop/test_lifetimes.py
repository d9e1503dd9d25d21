"""How the settings of one side affect what the other accepts or rejects."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.interop.conftest import StartApi
from tests.support.frontend import Frontend, Person, frontend
from tests.support.interop_calls import accepts, claims, refusal
from tests.support.postgres import execute
from tests.support.service import Service

WEEK = 7 * 24 * 3600


def seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def session_end(person: Person) -> int:
    session = person.session()
    assert session is not None
    return seconds(session["expiresAt"])


@pytest.fixture
def not_remembered(web: Frontend) -> Person:
    """A person who signed in without 'remember me': the session lasts a day and is not renewed by use."""
    person = web.person().sign_up()
    assert person.post("/sign-in/email", email=person.email, password=person.password, rememberMe=False).is_success
    return person


def test_a_token_never_outlives_its_session(not_remembered: Person, api: Service, shared: dict[str, str]) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    sid = claims(not_remembered.token())["sid"]
    execute(
        shared["DATABASE_URL"],
        f"UPDATE auth.session SET \"expiresAt\" = '{soon.isoformat()}' WHERE id = '{sid}'",
    )

    token = not_remembered.token()

    assert claims(token)["sid"] == sid
    assert claims(token)["exp"] == int(soon.timestamp()) == session_end(not_remembered)
    assert accepts(api, token)


def test_no_token_is_issued_once_the_session_has_expired(not_remembered: Person, shared: dict[str, str]) -> None:
    sid = claims(not_remembered.token())["sid"]

    execute(shared["DATABASE_URL"], f"UPDATE auth.session SET \"expiresAt\" = now() WHERE id = '{sid}'")

    assert not_remembered.get("/token").status_code == 401


def test_the_token_lifetime_may_equal_the_session_lifetime(api: Service, twin: dict[str, str], tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings=twin | {"EVO_TODO_TOKEN_LIFETIME": "7d"}) as long_lived:
        person = long_lived.person().sign_up()
        token = person.token()

        assert claims(token)["exp"] == session_end(person)
        assert WEEK - 60 <= claims(token)["exp"] - claims(token)["iat"] <= WEEK
        assert accepts(api, token)


def test_a_token_with_a_longer_lifetime_than_the_api_allows_is_rejected(
    alice: Person, web: Frontend, start_api: StartApi
) -> None:
    with start_api({"BETTER_AUTH_BASE_URL": web.url, "EVO_TODO_MAX_TOKEN_LIFETIME": "600"}) as strict:
        assert "too long" in refusal(strict, alice.token())


def test_a_token_for_another_audience_is_rejected(api: Service, twin: dict[str, str], tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings=twin | {"EVO_TODO_AUDIENCE": "https://other.example.com"}) as elsewhere:
        assert "another audience" in refusal(api, elsewhere.person().sign_up().token())


def test_a_frontend_with_a_new_url_is_trusted_once_the_api_is_configured(
    api: Service, shared: dict[str, str], tmp_path: Path, start_api: StartApi
) -> None:
    with frontend(folder=tmp_path, settings=shared) as moved:
        token = moved.person().sign_up().token()
        assert "another issuer" in refusal(api, token)

        with start_api({"BETTER_AUTH_BASE_URL": moved.url}) as configured:
            assert accepts(configured, token)
