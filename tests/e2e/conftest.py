"""The whole system: pages in a browser, the frontend and the service, on one PostgreSQL database."""

from collections.abc import Callable, Iterator
from secrets import token_urlsafe

import pytest
from attrs import frozen
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser import TIMEOUT, Windows, launch
from tests.support.frontend import Frontend, Person, frontend
from tests.support.pages import TasksPage
from tests.support.postgres import fresh_database
from tests.support.postgres_local import free_port
from tests.support.service_under_pages import Api, Tasks

TasksOf = Callable[[Person], Tasks]
Opens = Callable[[Person], TasksPage]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright, launch(playwright.chromium) as browser:
        yield browser


@frozen
class Ports:
    """Chosen before anything starts, because each side is configured with the other's port."""

    api: int
    web: int
    hasty: int
    keeping: int


@pytest.fixture(scope="package")
def ports() -> Ports:
    return Ports(*(free_port() for _ in range(4)))


@pytest.fixture(scope="package")
def site_database(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="package")
def shared(site_database: str, ports: Ports) -> dict[str, str]:
    """The settings that all frontends share, so that they have the same users and interchangeable tokens."""
    base = f"http://localhost:{ports.web}"
    return {
        "DATABASE_URL": site_database,
        "BETTER_AUTH_SECRETS": f"1:{token_urlsafe(32)}",
        "EVO_TODO_COOKIE_PREFIX": "shared",
        "NEXT_PUBLIC_API_URL": f"http://localhost:{ports.api}/api",
        "EVO_TODO_ISSUER": base,
        "EVO_TODO_AUDIENCE": base,
    }


@pytest.fixture(scope="package")
def web(shared: dict[str, str], ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    settings = shared | {"EVO_TODO_WEB_PORT": str(ports.web)}
    with frontend(folder=tmp_path_factory.mktemp("web"), settings=settings) as it:
        yield it


@pytest.fixture(scope="package")
def running_api(
    web: Frontend, site_database: str, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    origins = (f"http://localhost:{port}" for port in (ports.web, ports.hasty, ports.keeping))
    settings = {
        "DATABASE_URL": site_database,
        "BETTER_AUTH_BASE_URL": web.url,
        "EVO_TODO_JWKS_URL": f"{web.address}/api/auth/jwks",
        "EVO_TODO_CORS_ORIGINS": ",".join(origins),
        "EVO_TODO_LEEWAY": "0",
    }
    api = Api(ports.api, tmp_path_factory.mktemp("api"), settings)
    try:
        yield api.start()
    finally:
        api.stop()


@pytest.fixture(autouse=True)
def api(running_api: Api) -> Iterator[Api]:
    """The service. If a test stops it, it is started again afterwards."""
    yield running_api
    running_api.start()


@pytest.fixture(scope="package")
def hasty_web(shared: dict[str, str], ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """The same site, but tokens expire after two seconds."""
    settings = shared | {"EVO_TODO_WEB_PORT": str(ports.hasty), "EVO_TODO_TOKEN_LIFETIME": "2s"}
    with frontend(folder=tmp_path_factory.mktemp("hasty"), settings=settings) as it:
        yield it


@pytest.fixture(scope="package")
def keeping_web(shared: dict[str, str], ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """The same site, but its pages store the token in localStorage."""
    settings = shared | {"EVO_TODO_WEB_PORT": str(ports.keeping), "EVO_TODO_TOKEN_STORE": "localStorage"}
    with frontend(folder=tmp_path_factory.mktemp("keeping"), settings=settings) as it:
        yield it


@pytest.fixture(scope="package")
def all_windows(chromium: Browser, web: Frontend) -> Windows:
    return Windows(chromium, web)


@pytest.fixture(autouse=True)
def windows(all_windows: Windows) -> Iterator[Windows]:
    """Opens windows. Any fault in one of them fails the test at its end."""
    yield all_windows
    assert all_windows.close() == []


@pytest.fixture
def tasks_of(api: Api) -> TasksOf:
    return lambda person: Tasks(api, person)


@pytest.fixture
def at_tasks(windows: Windows) -> Opens:
    """Opens a window with a person's tasks."""
    return lambda person: TasksPage(windows.open(person)).open()


@pytest.fixture
def alice(web: Frontend) -> Person:
    """A person who has just signed up."""
    return web.person().sign_up()


@pytest.fixture
def bob(web: Frontend) -> Person:
    return web.person().sign_up()
