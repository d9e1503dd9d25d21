"""Signing keys are created, rotated and removed, and the API follows."""

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

SHORT_CACHE = {"EVO_TODO_JWKS_TTL": "0.5", "EVO_TODO_JWKS_COOLDOWN": "0.05"}
"""Settings of an API that refreshes its keys often."""
UNKNOWN_KEY = "The token is signed with a"  # key that is unknown; other reasons begin otherwise


def test_concurrent_first_requests_for_tokens_create_one_key(tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings={}) as web:
        tokens = at_once(8, web.person().sign_up().token)

        assert {kid(token) for token in tokens} == set(web.key_ids())
        assert len(web.key_ids()) == 1


def test_an_api_that_starts_before_the_frontend_responds_with_503_until_it_is_up(
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

            def is_accepted() -> bool:
                response = ask(api, token)
                assert response.status_code in {200, 503}, response.text
                return response.is_success

            assert eventually(is_accepted)


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def rotating(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend that creates a new key every second and publishes the old ones for days."""
    settings = {"DATABASE_URL": database, "EVO_TODO_KEY_ROTATION": "1s", "EVO_TODO_KEY_GRACE": "8d"}
    with frontend(folder=tmp_path_factory.mktemp("rotating"), settings=settings) as web:
        yield web


@pytest.fixture(scope="module")
def refreshing(rotating: Frontend, start_api: StartApi) -> Iterator[Service]:
    with start_api(SHORT_CACHE | {"BETTER_AUTH_BASE_URL": rotating.url}) as api:
        yield api


def newer_token(person: Person, old: str) -> str:
    """A token signed with another key than `old`."""

    def token() -> str | None:
        new = person.token()
        return new if kid(new) != kid(old) else None

    found = eventually(token)
    assert found
    return found


def test_tokens_of_the_old_and_the_new_key_are_both_accepted(rotating: Frontend, refreshing: Service) -> None:
    person = rotating.person().sign_up()
    old = person.token()
    assert accepts(refreshing, old)

    new = newer_token(person, old)

    assert {kid(old), kid(new)} <= set(rotating.key_ids())
    assert accepts(refreshing, new)
    assert accepts(refreshing, old)


def test_concurrently_issued_tokens_are_all_accepted_during_rotation(rotating: Frontend, refreshing: Service) -> None:
    person = rotating.person().sign_up()
    newer_token(person, person.token())

    assert all(accepts(refreshing, token) for token in at_once(8, person.token))


def test_concurrent_requests_for_tokens_after_a_key_has_expired_create_one_key(
    postgres_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": postgres_url, "BETTER_AUTH_SECRETS": f"1:{'shared between two ' * 2}"}
    with frontend(folder=tmp_path, settings=settings) as one, frontend(folder=tmp_path, settings=settings) as other:
        here = one.person().sign_up()
        there = other.person(here.email).sign_in()
        expired = kid(here.token())
        execute(postgres_url, 'UPDATE auth.jwks SET "expiresAt" = now()')

        tokens = at_once(8, lambda: (here.token(), there.token()))

        new = {kid(token) for pair in tokens for token in pair}
        assert len(new) == 1
        assert set(one.key_ids()) == {expired} | new


def test_tokens_of_a_removed_key_are_rejected_and_new_ones_are_accepted(
    rotating: Frontend, refreshing: Service, database: str
) -> None:
    person = rotating.person().sign_up()
    old = person.token()
    assert accepts(refreshing, old)

    execute(database, "DELETE FROM auth.jwks")

    eventually(lambda: not accepts(refreshing, old))
    assert refusal(refreshing, old).startswith(UNKNOWN_KEY)
    assert accepts(refreshing, newer_token(person, old))
    assert kid(old) not in rotating.key_ids()


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend whose keys and tokens expire within seconds."""
    quick = {"EVO_TODO_KEY_ROTATION": "1s", "EVO_TODO_KEY_GRACE": "2s", "EVO_TODO_TOKEN_LIFETIME": "2s"}
    with frontend(folder=tmp_path_factory.mktemp("short_lived"), settings=quick) as web:
        yield web


@pytest.fixture(scope="module")
def following_api(short_lived: Frontend, start_api: StartApi) -> Iterator[Service]:
    with start_api(SHORT_CACHE | {"BETTER_AUTH_BASE_URL": short_lived.url}) as api:
        yield api


def test_a_replaced_key_is_unpublished_after_its_grace_period_and_its_tokens_are_rejected(
    short_lived: Frontend, following_api: Service
) -> None:
    person = short_lived.person().sign_up()
    token = accepted_token(person, following_api)

    def is_unpublished() -> bool:
        published = kid(person.token()) and short_lived.key_ids()
        return kid(token) not in published

    def rejected() -> httpx.Response | None:
        response = person.token() and ask(following_api, token)
        return response if response and response.status_code == 401 else None

    eventually(is_unpublished)
    response = eventually(rejected)
    assert response is not None
    # With the API's leeway, the token itself would be valid for another 30 seconds.
    assert response.json()["detail"].startswith(UNKNOWN_KEY)
    assert accepted_token(person, following_api)


def test_when_all_keys_have_expired_the_api_responds_with_503_until_there_is_a_new_one(
    short_lived: Frontend, following_api: Service
) -> None:
    person = short_lived.person().sign_up()
    token = accepted_token(person, following_api)
    eventually(lambda: short_lived.key_ids() == [])

    eventually(lambda: ask(following_api, token).status_code == 503)

    eventually(lambda: ask(following_api, person.token()).is_success)


def test_a_token_is_accepted_until_it_expires(
    alice: Person, api: Service, twin: dict[str, str], start_api: StartApi, tmp_path: Path
) -> None:
    quick = {"EVO_TODO_TOKEN_LIFETIME": "2s", "EVO_TODO_KEY_GRACE": "8d"}
    with (
        frontend(folder=tmp_path, settings=twin | quick) as web,
        start_api({"BETTER_AUTH_BASE_URL": twin["EVO_TODO_ISSUER"], "EVO_TODO_LEEWAY": "0"}) as exact,
    ):
        token = accepted_token(web.person(alice.email).sign_in(), exact)

        eventually(lambda: not accepts(exact, token))

        assert "expired" in refusal(exact, token)
        assert accepts(api, token)  # with a leeway of 30 seconds


def accepted_token(person: Person, api: Service) -> str:
    """A short-lived token that the API has accepted."""

    def token() -> str | None:
        fresh = person.token()
        return fresh if ask(api, fresh).is_success else None

    found = eventually(token)
    assert found
    return found
