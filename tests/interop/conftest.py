"""A real Better Auth, as configured by the frontend, and the Python service that trusts it."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from secrets import token_urlsafe

import pytest

from tests.support.frontend import Frontend, Person, frontend
from tests.support.postgres import fresh_database
from tests.support.service import Service, running

StartApi = Callable[[dict[str, str]], AbstractContextManager[Service]]


@pytest.fixture(scope="package")
def shared(postgres_server: str) -> Iterator[dict[str, str]]:
    """The settings that instances of one frontend share: the database and the secrets."""
    with fresh_database(postgres_server) as url:
        yield {"DATABASE_URL": url, "BETTER_AUTH_SECRETS": f"1:{token_urlsafe(32)}"}


@pytest.fixture(scope="package")
def web(shared: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend on PostgreSQL, for tests that change neither its keys nor its settings."""
    with frontend(folder=tmp_path_factory.mktemp("web"), settings=shared) as it:
        yield it


@pytest.fixture(scope="package")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A frontend with an embedded database in a folder that it creates, and without a trusted proxy."""
    folder = tmp_path_factory.mktemp("embedded")
    settings = {"EVO_TODO_DATA": str(folder / "data"), "EVO_TODO_TRUSTED_PROXIES": ""}
    with frontend(folder=folder, settings=settings) as it:
        yield it


@pytest.fixture
def twin(web: Frontend, shared: dict[str, str]) -> dict[str, str]:
    """The settings of another frontend with the same users, keys, issuer and audience as `web`."""
    return shared | {"EVO_TODO_ISSUER": web.url, "EVO_TODO_AUDIENCE": web.url}


@pytest.fixture(scope="package")
def start_api(tmp_path_factory: pytest.TempPathFactory) -> StartApi:
    @contextmanager
    def start(settings: dict[str, str]) -> Generator[Service]:
        ours = {"DATABASE_URL": "sqlite:///tasks.db", "EVO_TODO_LOG_FORMAT": "json"}
        with running("serve", "--migrate", folder=tmp_path_factory.mktemp("api"), settings=ours | settings) as service:
            yield service

    return start


@pytest.fixture(scope="package")
def api(web: Frontend, start_api: StartApi) -> Iterator[Service]:
    """A service that trusts `web`, configured as documented."""
    with start_api({"BETTER_AUTH_BASE_URL": web.url}) as it:
        yield it


@pytest.fixture
def alice(web: Frontend) -> Person:
    """A person who has just signed up."""
    return web.person().sign_up()


@pytest.fixture
def bob(web: Frontend) -> Person:
    return web.person().sign_up()
