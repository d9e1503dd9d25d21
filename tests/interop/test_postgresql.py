"""Better Auth on PostgreSQL as people have it: parameters in the address, poolers, other defaults, other schemas."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal

from tests.interop.test_databases import TABLES, tables, with_the_cookies_of
from tests.support.frontend import Frontend, ended_at_start, frontend
from tests.support.interop_calls import at_once
from tests.support.pgbouncer import PGBOUNCER, pgbouncer
from tests.support.postgres import OWNER, Installation, PostgresServer, as_role, execute
from tests.support.postgres_local import free_port
from tests.support.service import eventually
from tests.support.tls import Certificates, make_certificates, tls_in_front

PORT, SECRET = "EVO_TODO_WEB_PORT", "BETTER_AUTH_SECRETS"


@pytest.fixture
def settings(postgres_url: str) -> dict[str, str]:
    """Settings that stay the same when the frontend is started again, on an empty database."""
    return {PORT: str(free_port()), SECRET: f"1:{token_urlsafe(32)}", "DATABASE_URL": postgres_url}


def works(web: Frontend) -> None:
    """People sign up and in side by side, and get tokens."""
    for person in at_once(4, lambda: web.person().sign_up()):
        assert person.elsewhere().sign_in().token()
    assert len(web.key_ids()) == 1


@pytest.mark.parametrize(
    "parameters",
    [
        "options=-c%20statement_timeout%3D5000",
        "options=-csearch_path%3Dpublic",
        "search_path=public&statement_timeout=5000",
        "sslmode=prefer&channel_binding=prefer&connect_timeout=10&target_session_attrs=read-write",
        "schema=public&pgbouncer=true&connection_limit=5",
    ],
)
def test_parameters_of_the_address_move_no_table(settings: dict[str, str], parameters: str, tmp_path: Path) -> None:
    with frontend(folder=tmp_path, settings=settings) as web:
        alice, keys = web.person().sign_up(), web.key_ids()
    url = f"{settings['DATABASE_URL']}?{parameters}"
    with frontend(folder=tmp_path, settings=settings | {"DATABASE_URL": url}) as web:
        assert web.key_ids() == keys
        assert with_the_cookies_of(alice, web).token()
        assert web.person(alice.email).sign_in().user_id == alice.user_id
        works(web)
    assert tables(settings["DATABASE_URL"]) == {"auth": TABLES, "public": set()} | {
        schema: names for schema, names in tables(settings["DATABASE_URL"]).items() if schema not in {"auth", "public"}
    }


@pytest.fixture
def secure_port(own_postgres: PostgresServer, certificates: Certificates) -> Iterator[int]:
    """The port of what offers TLS in front of a server."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(tls_in_front(own_postgres.port, certificates)) as front,
    ):
        yield front.port
        assert False not in front.secured


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.mark.parametrize(
    "parameters",
    ["", "sslmode=require", "sslmode=verify-full&sslrootcert={authority}", "sslmode=verify-ca&sslrootcert={authority}"],
)
def test_tls_is_used_as_the_service_uses_it(
    secure_port: int, certificates: Certificates, settings: dict[str, str], parameters: str, tmp_path: Path
) -> None:
    url = as_role(f"postgresql://localhost:{secure_port}/postgres", OWNER)
    address = f"{url}?{parameters.format(authority=certificates.authority)}".rstrip("?")
    with frontend(folder=tmp_path, settings=settings | {"DATABASE_URL": address}) as web:
        works(web)


def test_a_server_whose_certificate_is_not_trusted_stops_the_start(
    secure_port: int, settings: dict[str, str], tmp_path: Path
) -> None:
    url = as_role(f"postgresql://localhost:{secure_port}/postgres", OWNER)
    address = f"{url}?sslmode=verify-full&sslrootcert=system"
    ended = ended_at_start(folder=tmp_path, settings=settings | {"DATABASE_URL": address})
    assert ended.returncode == 1
    assert "certificate" in ended.stderr


def test_a_second_set_of_tables_stops_the_start_until_a_setting_chooses(
    settings: dict[str, str], tmp_path: Path
) -> None:
    chosen = settings | {"EVO_TODO_AUTH_SCHEMA": "public"}
    with frontend(folder=tmp_path, settings=chosen) as web:
        alice = web.person().sign_up()
    assert tables(settings["DATABASE_URL"])["public"] == TABLES

    ended = ended_at_start(folder=tmp_path, settings=settings)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "EVO_TODO_AUTH_SCHEMA" in line
    assert '"public"' in line
    assert tables(settings["DATABASE_URL"])["auth"] == set()

    with frontend(folder=tmp_path, settings=chosen) as web:
        assert web.person(alice.email).sign_in().user_id == alice.user_id


@pytest.mark.parametrize(
    "default", ["DateStyle = 'German'", "DateStyle = 'SQL, DMY'", "default_transaction_isolation = 'serializable'"]
)
def test_other_defaults_of_the_database_change_nothing(settings: dict[str, str], default: str, tmp_path: Path) -> None:
    url = settings["DATABASE_URL"]
    execute(url, f"ALTER DATABASE {urlsplit(url).path.removeprefix('/')} SET {default}")
    with frontend(folder=tmp_path, settings=settings) as web:
        works(web)


@pytest.fixture
def behind_a_pooler(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with pgbouncer(settings["DATABASE_URL"], tmp_path_factory.mktemp("pooler")) as url:
        yield settings | {"DATABASE_URL": url}


if PGBOUNCER is not None:

    def test_behind_pgbouncer_in_transaction_mode_it_works(behind_a_pooler: dict[str, str], tmp_path: Path) -> None:
        with frontend(folder=tmp_path, settings=behind_a_pooler) as web:
            works(web)


def test_a_database_that_cannot_hold_every_text_stops_the_start(
    postgres_server: str, settings: dict[str, str], tmp_path: Path
) -> None:
    name = f"evo_todo_{uuid4().hex}"
    how = "TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"
    execute(postgres_server, f"CREATE DATABASE {name} OWNER {OWNER} {how}")
    url = as_role(urlsplit(postgres_server)._replace(path=f"/{name}").geturl(), OWNER)
    try:
        ended = ended_at_start(folder=tmp_path, settings=settings | {"DATABASE_URL": url})
    finally:
        execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")
    assert ended.returncode == 1
    assert "LATIN1" in ended.stderr


def test_with_several_hosts_it_goes_on_at_the_standby_that_was_promoted(
    own_postgres: PostgresServer, postgres_programs: Installation, settings: dict[str, str], tmp_path: Path
) -> None:
    with postgres_programs.server(durable=True, primary=own_postgres) as standby:
        parts = urlsplit(as_role(standby.url, OWNER))
        url = parts._replace(netloc=f"{parts.netloc},127.0.0.1:{own_postgres.port}").geturl()
        with frontend(folder=tmp_path, settings=settings | {"DATABASE_URL": url}) as web:
            works(web)

            own_postgres.stop()
            standby.promote()

            eventually(lambda: web.person().get("/ok").is_success and _signs_up(web))
            works(web)


def _signs_up(web: Frontend) -> bool:
    person = web.person()
    return person.post("/sign-up/email", name="A", email=person.email, password=person.password).is_success
