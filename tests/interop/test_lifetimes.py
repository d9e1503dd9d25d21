"""What a setting of one side makes the other side accept or refuse."""

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
def for_today_only(web: Frontend) -> Person:
    """Somebody who did not want to be remembered: such a session lasts a day, and using it does not renew it."""
    person = web.person().sign_up()
    assert person.post("/sign-in/email", email=person.email, password=person.password, rememberMe=False).is_success
    return person


def test_a_token_never_outlives_its_session(for_today_only: Person, api: Service, shared: dict[str, str]) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    sid = claims(for_today_only.token())["sid"]
    execute(
        shared["DATABASE_URL"],
        f"UPDATE auth.session SET \"expiresAt\" = '{soon.isoformat()}' WHERE id = '{sid}'",
    )

    token = for_today_only.token()

    assert claims(token)["sid"] == sid
    assert claims(token)["exp"] == int(soon.timestamp()) == session_end(for_today_only)
    assert accepts(api, token)


def test_once_its_session_has_expired_no_token_can_be_had(for_today_only: Person, shared: dict[str, str]) -> None:
    sid = claims(for_today_only.token())["sid"]

    execute(shared["DATABASE_URL"], f"UPDATE auth.session SET \"expiresAt\" = now() WHERE id = '{sid}'")

    assert for_today_only.get("/token").status_code == 401


def test_tokens_may_live_for_as_long_as_a_session(api: Service, twin: dict[str, str], tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings=twin | {"EVO_TODO_TOKEN_LIFETIME": "7d"}) as patient:
        person = patient.person().sign_up()
        token = person.token()

        assert claims(token)["exp"] == session_end(person)
        assert WEEK - 60 <= claims(token)["exp"] - claims(token)["iat"] <= WEEK
        assert accepts(api, token)


def test_a_token_that_lives_longer_than_the_api_allows_is_refused(
    alice: Person, web: Frontend, start_api: StartApi
) -> None:
    with start_api({"BETTER_AUTH_BASE_URL": web.url, "EVO_TODO_MAX_TOKEN_LIFETIME": "600"}) as strict:
        assert "lives too long" in refusal(strict, alice.token())


def test_a_token_for_another_audience_is_refused(api: Service, twin: dict[str, str], tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings=twin | {"EVO_TODO_AUDIENCE": "https://other.example.com"}) as elsewhere:
        assert "another audience" in refusal(api, elsewhere.person().sign_up().token())


def test_a_frontend_that_has_moved_is_trusted_again_once_the_api_is_told(
    api: Service, shared: dict[str, str], tmp_path: Path, start_api: StartApi
) -> None:
    with frontend(folder=tmp_path, settings=shared) as moved:
        token = moved.person().sign_up().token()
        assert "another issuer" in refusal(api, token)

        with start_api({"BETTER_AUTH_BASE_URL": moved.url}) as told:
            assert accepts(told, token)
