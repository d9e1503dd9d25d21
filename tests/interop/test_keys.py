"""The keys that sign tokens come, go and change, and the API follows."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import StartApi
from tests.support.frontend import Frontend, Person, frontend
from tests.support.interop_calls import accepts, ask, at_once, kid, refusal
from tests.support.postgres import execute, fresh_database
from tests.support.postgres_local import free_port
from tests.support.service import Service, eventually
from tests.support.tokens import Issuer

ATTENTIVE = {"EVO_TODO_JWKS_TTL": "0.5", "EVO_TODO_JWKS_COOLDOWN": "0.05"}
"""An API that soon sees what has become of the keys."""


def test_a_new_frontend_has_one_key_however_many_first_tokens_are_asked_for_at_once(tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings={}) as web:
        tokens = at_once(8, web.person().sign_up().token)

        assert {kid(token) for token in tokens} == set(web.key_ids())
        assert len(web.key_ids()) == 1


def test_an_api_that_started_before_the_frontend_sends_nobody_away_and_works_once_it_is_there(
    start_api: StartApi, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    with start_api({"BETTER_AUTH_BASE_URL": url}) as api:
        too_early = ask(api, Issuer.new(name=url, audience=url).token())
        assert too_early.status_code == 503, too_early.text
        assert int(too_early.headers["Retry-After"]) >= 1

        with frontend(folder=tmp_path, settings={"EVO_TODO_WEB_PORT": str(port)}) as web:
            token = web.person().sign_up().token()

            def is_there() -> bool:
                answer = ask(api, token)
                assert answer.status_code in {200, 503}, answer.text
                return answer.is_success

            assert eventually(is_there)


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def rotating(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend that signs with a new key every second and publishes the old ones for days."""
    settings = {"DATABASE_URL": database, "EVO_TODO_KEY_ROTATION": "1s", "EVO_TODO_KEY_GRACE": "8d"}
    with frontend(folder=tmp_path_factory.mktemp("rotating"), settings=settings) as web:
        yield web


@pytest.fixture(scope="module")
def attentive(rotating: Frontend, start_api: StartApi) -> Iterator[Service]:
    with start_api(ATTENTIVE | {"BETTER_AUTH_BASE_URL": rotating.url}) as api:
        yield api


def newer_token(person: Person, old: str) -> str:
    """A token that another key has signed."""

    def token() -> str | None:
        new = person.token()
        return new if kid(new) != kid(old) else None

    found = eventually(token)
    assert found
    return found


def test_tokens_of_the_old_key_and_of_the_new_one_are_taken_together(rotating: Frontend, attentive: Service) -> None:
    person = rotating.person().sign_up()
    old = person.token()
    assert accepts(attentive, old)

    new = newer_token(person, old)

    assert {kid(old), kid(new)} <= set(rotating.key_ids())
    assert accepts(attentive, new)
    assert accepts(attentive, old)


def test_whatever_keys_many_tokens_at_once_are_signed_with_the_api_takes_them_all(
    rotating: Frontend, attentive: Service
) -> None:
    person = rotating.person().sign_up()
    newer_token(person, person.token())

    assert all(accepts(attentive, token) for token in at_once(8, person.token))


def test_however_many_tokens_are_asked_for_when_a_key_has_ended_one_new_key_signs_them_all(
    postgres_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": postgres_url, "BETTER_AUTH_SECRETS": f"1:{'shared between two ' * 2}"}
    with frontend(folder=tmp_path, settings=settings) as one, frontend(folder=tmp_path, settings=settings) as other:
        here = one.person().sign_up()
        there = other.person(here.email).sign_in()
        ended = kid(here.token())
        execute(postgres_url, 'UPDATE auth.jwks SET "expiresAt" = now()')

        tokens = at_once(8, lambda: (here.token(), there.token()))

        new = {kid(token) for pair in tokens for token in pair}
        assert len(new) == 1
        assert set(one.key_ids()) == {ended} | new


def test_tokens_of_a_key_that_was_removed_are_refused_and_new_ones_are_taken(
    rotating: Frontend, attentive: Service, database: str
) -> None:
    person = rotating.person().sign_up()
    old = person.token()
    assert accepts(attentive, old)

    execute(database, "DELETE FROM auth.jwks")

    eventually(lambda: not accepts(attentive, old))
    assert "key that is not known" in refusal(attentive, old)
    assert accepts(attentive, newer_token(person, old))
    assert kid(old) not in rotating.key_ids()


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend whose keys and tokens live for a moment only."""
    quick = {"EVO_TODO_KEY_ROTATION": "1s", "EVO_TODO_KEY_GRACE": "2s", "EVO_TODO_TOKEN_LIFETIME": "2s"}
    with frontend(folder=tmp_path_factory.mktemp("forgetful"), settings=quick) as web:
        yield web


@pytest.fixture(scope="module")
def forgotten(forgetful: Frontend, start_api: StartApi) -> Iterator[Service]:
    with start_api(ATTENTIVE | {"BETTER_AUTH_BASE_URL": forgetful.url}) as api:
        yield api


def test_once_a_replaced_keys_grace_is_over_it_is_published_no_longer_and_its_tokens_are_refused(
    forgetful: Frontend, forgotten: Service
) -> None:
    person = forgetful.person().sign_up()
    token = taken(person, forgotten)

    def is_gone() -> bool:
        published = kid(person.token()) and forgetful.key_ids()
        return kid(token) not in published

    def refused() -> httpx.Response | None:
        answer = person.token() and ask(forgotten, token)
        return answer if answer and answer.status_code == 401 else None

    eventually(is_gone)
    answer = eventually(refused)
    assert answer is not None
    # The API's leeway would have let the token itself live for half a minute more.
    assert "key that is not known" in answer.json()["detail"]
    assert taken(person, forgotten)


def test_after_so_long_a_silence_that_no_key_is_left_the_api_waits_for_the_next_one(
    forgetful: Frontend, forgotten: Service
) -> None:
    person = forgetful.person().sign_up()
    token = taken(person, forgotten)
    eventually(lambda: forgetful.key_ids() == [])

    eventually(lambda: ask(forgotten, token).status_code == 503)

    eventually(lambda: ask(forgotten, person.token()).is_success)


def test_a_token_is_taken_until_it_expires(
    alice: Person, api: Service, twin: dict[str, str], start_api: StartApi, tmp_path: Path
) -> None:
    quick = {"EVO_TODO_TOKEN_LIFETIME": "2s", "EVO_TODO_KEY_GRACE": "8d"}
    with (
        frontend(folder=tmp_path, settings=twin | quick) as web,
        start_api({"BETTER_AUTH_BASE_URL": twin["EVO_TODO_ISSUER"], "EVO_TODO_LEEWAY": "0"}) as exact,
    ):
        token = taken(web.person(alice.email).sign_in(), exact)

        eventually(lambda: not accepts(exact, token))

        assert "expired" in refusal(exact, token)
        assert accepts(api, token)  # which allows for half a minute between the clocks


def taken(person: Person, api: Service) -> str:
    """A token that lives for a moment only, and was taken in that moment."""

    def token() -> str | None:
        fresh = person.token()
        return fresh if ask(api, fresh).is_success else None

    found = eventually(token)
    assert found
    return found
