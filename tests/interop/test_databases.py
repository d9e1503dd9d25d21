"""Better Auth's data in both kinds of database: persistence, and concurrent processes."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from secrets import token_urlsafe

import asyncpg
import httpx
import pytest

from tests.support.frontend import Frontend, Person, frontend
from tests.support.interop_calls import kid
from tests.support.postgres import fresh_database
from tests.support.postgres_local import free_port

TABLES = {
    "user",
    "session",
    "account",
    "verification",
    "jwks",
    "twoFactor",
    "rateLimit",
    "securityEvent",
    "tokenLifetime",
}
OLD, NEW = f"1:{token_urlsafe(32)}", f"2:{token_urlsafe(32)}"


@pytest.fixture(params=["embedded", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of an empty database of each kind."""
    if request.param == "embedded":
        yield {}
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield {"DATABASE_URL": url}


@pytest.fixture
def same_port() -> dict[str, str]:
    """A fixed port, so that the frontend has the same URL after a restart."""
    return {"EVO_TODO_WEB_PORT": str(free_port())}


def with_the_cookies_of(person: Person, web: Frontend) -> Person:
    """The same browser at the restarted frontend."""
    again = web.person(person.email)
    again.http.cookies = httpx.Cookies(person.http.cookies)
    return again


def test_users_sessions_and_keys_survive_a_restart(
    database: dict[str, str], same_port: dict[str, str], tmp_path: Path
) -> None:
    with frontend(folder=tmp_path, settings=database | same_port) as web:
        alice, keys = web.person().sign_up(), web.key_ids()
        gone = alice.elsewhere().sign_in()
        left = with_the_cookies_of(gone, web)
        assert left.token()
        gone.sign_out()

    with frontend(folder=tmp_path, settings=database | same_port) as web:
        assert web.key_ids() == keys
        assert kid(with_the_cookies_of(alice, web).token()) in keys
        assert with_the_cookies_of(left, web).get("/token").status_code == 401
        assert web.person(alice.email).sign_in().user_id == alice.user_id
        assert web.person(alice.email).sign_up().session() is None  # the address is taken


def test_after_adding_a_new_secret_the_keys_still_work_and_users_must_sign_in_again(
    same_port: dict[str, str], tmp_path: Path
) -> None:
    with frontend(folder=tmp_path, settings=same_port | {"BETTER_AUTH_SECRETS": OLD}) as web:
        alice, keys = web.person().sign_up(), web.key_ids()

    with frontend(folder=tmp_path, settings=same_port | {"BETTER_AUTH_SECRETS": f"{NEW},{OLD}"}) as web:
        # Cookies are signed with the newest secret only.
        assert with_the_cookies_of(alice, web).get("/token").status_code == 401
        assert kid(web.person(alice.email).sign_in().token()) in keys
        assert web.key_ids() == keys


def test_the_embedded_database_and_its_secret_are_private_to_the_user(embedded: Frontend) -> None:
    data = embedded.folder / "data"

    modes = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.iterdir())}

    assert {"data", "auth.db", "auth-secret"} <= set(modes)
    assert not any(mode & 0o077 for mode in modes.values())


def tables(url: str) -> dict[str, set[str]]:
    """The names of the tables by schema."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url, timeout=30)
        try:
            return list(await connection.fetch("SELECT schemaname, tablename FROM pg_tables", timeout=30))
        finally:
            await connection.close(timeout=30)

    found: dict[str, set[str]] = {"public": set(), "auth": set()}
    for schema, table in asyncio.run(fetch()):
        found.setdefault(schema, set()).add(table)
    return found


def test_in_postgresql_the_tables_are_in_their_own_schema(web: Frontend, shared: dict[str, str]) -> None:
    assert web.person().sign_up().token()

    assert tables(shared["DATABASE_URL"])["auth"] == TABLES
    assert tables(shared["DATABASE_URL"])["public"] == set()


def test_two_frontends_that_start_concurrently_on_one_empty_database_share_users_and_keys(
    postgres_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": postgres_url, "BETTER_AUTH_SECRETS": OLD, "EVO_TODO_COOKIE_PREFIX": "shared"}
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        one, other = threads.map(
            lambda folder: stack.enter_context(frontend(folder=folder, settings=settings)), folders
        )

        assert len(one.key_ids()) == 1
        assert other.key_ids() == one.key_ids()
        alice = one.person().sign_up()
        assert with_the_cookies_of(alice, other).token()
