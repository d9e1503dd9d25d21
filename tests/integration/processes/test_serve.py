from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.loopback_issuer import LoopbackIssuer, Mood
from tests.support.postgres_local import free_port
from tests.support.service import STOP_TIMEOUT, Service, eventually, evo_todo, group, running

SQLITE = "sqlite:///tasks.db"
PROBLEM = "application/problem+json"


def refusal_of_start(folder: Path, settings: dict[str, str]) -> str:
    """The line that `serve` ends with."""
    ended = evo_todo("serve", folder=folder, settings={"EVO_TODO_PORT": str(free_port())} | settings)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


def assert_try_later(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == PROBLEM


def test_it_does_not_start_without_a_database_and_says_so_in_one_line(tmp_path: Path) -> None:
    assert "DATABASE_URL" in refusal_of_start(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("EVO_TODO_PORT", "eighty", "whole number from 1 to 65535"),
        ("EVO_TODO_WORKERS", "0", "whole number from 1 to 64"),
        ("EVO_TODO_ISSUER", "", "must not be empty"),
        ("EVO_TODO_JWKS_URL", "http://keys.example.com/jwks", "EVO_TODO_ALLOW_HTTP_JWKS"),
        ("EVO_TODO_CORS_ORIGINS", "*", "exact origins"),
        ("EVO_TODO_PROT", "", "EVO_TODO_PORT"),
    ],
)
def test_a_setting_that_cannot_be_read_stops_the_start_with_one_line_about_it(
    name: str, value: str, accepted: str, tmp_path: Path
) -> None:
    line = refusal_of_start(tmp_path, {"DATABASE_URL": SQLITE, name: value})

    assert name in line
    assert value in line
    assert accepted in line


@pytest.mark.parametrize(
    "address",
    [
        "mysql://alice:S3cret@db.example.com/tasks",
        "mysql://alice:S3c/S3cret@db.example.com/tasks",
        "mysql://alice:S3c@S3cret@db.example.com/tasks",
        "mysql://db.example.com/tasks?user=alice&password=S3cret",
        "postgresql://alice:S3cret/tasks",
        "postgresql://alice:S3c@S3cret:S3c@db.example.com/tasks",
    ],
)
def test_a_setting_that_cannot_be_read_is_shown_without_its_password(address: str, tmp_path: Path) -> None:
    line = refusal_of_start(tmp_path, {"DATABASE_URL": address})

    assert "DATABASE_URL" in line
    assert "must be postgresql://user:password@host/name" in line
    assert "S3c" not in line


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """An address of a database without tables."""
    return request.getfixturevalue("postgres_url") if request.param == "postgresql" else SQLITE


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_without_tables_it_starts_says_what_to_do_and_needs_no_restart_once_that_is_done(
    database: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    with running("serve", folder=tmp_path, settings={"DATABASE_URL": database} | issuer.settings) as service:
        not_ready = service.get("/readyz")
        assert_try_later(not_ready)
        assert "run `evo-todo migrate`" in not_ready.json()["detail"]
        assert_try_later(service.get("/api/alice/tasks", issuer.token("alice")))

        assert evo_todo("migrate", folder=tmp_path, settings={"DATABASE_URL": database}).returncode == 0

        assert service.get("/readyz").json() == {
            "status": "ready",
            "checks": {"database": "ok", "row-security": "ok", "keys": "ok", "revocations": "ok"},
        }
        assert service.get("/api/alice/tasks", issuer.token("alice")).json()["data"] == []


def test_two_workers_make_the_tables_serve_together_and_stop_together(
    postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": postgres_url, "EVO_TODO_WORKERS": "2", "EVO_TODO_LOG_FORMAT": "json"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings | issuer.settings) as service:
        token = issuer.token("alice")
        eventually(lambda: service.log.count("Application startup complete") == 2)

        def create(number: int) -> httpx.Response:
            with service.client(token) as client:
                return client.post("/api/alice/tasks", json={"title": f"Task {number}"})

        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(create, range(40)))
        assert {answer.status_code for answer in answers} == {201}
        assert sorted(answer.json()["revision"] for answer in answers) == list(range(1, 41))

        service.stop()
        eventually(lambda: not list(group(service.process)), within=STOP_TIMEOUT)
        assert all("event" in line for line in service.log_lines)


@pytest.fixture
def without_issuer(own_issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    """A service that was started while its issuer was gone."""
    own_issuer.stop()
    settings = {"DATABASE_URL": SQLITE, "EVO_TODO_LOG_FORMAT": "json"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings | own_issuer.settings) as service:
        yield service


def test_it_starts_without_its_issuer_and_takes_tokens_once_that_is_back(
    without_issuer: Service, own_issuer: LoopbackIssuer
) -> None:
    service, token = without_issuer, own_issuer.token("alice")

    assert service.get("/health").json() == {"status": "ok"}
    assert service.get("/livez").status_code == 200
    not_ready = service.get("/readyz")
    assert_try_later(not_ready)
    assert "keys" in not_ready.json()["detail"]
    assert "database" not in not_ready.json()["detail"]
    assert_try_later(service.get("/api/alice/tasks", token))
    assert service.get("/api/alice/tasks", "not.a.token").status_code == 401
    assert service.get("/api/alice/tasks").status_code == 401

    own_issuer.start()

    eventually(lambda: service.get("/api/alice/tasks", token).status_code == 200)
    assert service.get("/readyz").status_code == 200


def test_an_issuer_that_drips_keeps_nobody_waiting_for_ever(own_issuer: LoopbackIssuer, tmp_path: Path) -> None:
    own_issuer.mood = "dripping"
    with running(
        "serve", "--migrate", folder=tmp_path, settings={"DATABASE_URL": SQLITE} | own_issuer.settings
    ) as service:
        assert_try_later(service.get("/api/alice/tasks", own_issuer.token("alice")))
        assert service.get("/livez").status_code == 200


def test_while_the_issuer_fails_known_keys_are_accepted_and_unknown_ones_can_not_be_judged(
    own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    token, forged = own_issuer.token("alice"), own_issuer.forged_token("alice")
    settings = {"DATABASE_URL": SQLITE, "EVO_TODO_JWKS_TTL": "0.1", "EVO_TODO_JWKS_COOLDOWN": "0.1"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings | own_issuer.settings) as service:
        assert service.get("/api/alice/tasks", token).status_code == 200
        moods: tuple[Mood, ...] = ("talking garbage", "failing")
        for mood in moods:
            own_issuer.mood = mood
            asked = own_issuer.request_count

            def is_served_while_the_issuer_is_asked_again(asked: int = asked) -> bool:
                assert service.get("/api/alice/tasks", token).status_code == 200
                assert service.get("/api/alice/tasks", forged).status_code == 503
                return own_issuer.request_count > asked

            eventually(is_served_while_the_issuer_is_asked_again)
            assert service.get("/readyz").status_code == 200


def test_the_development_issuer_is_no_part_of_it(service: Service, issuer: LoopbackIssuer) -> None:
    for path in ("/api/auth/jwks", "/api/auth/token", "/api/auth/sign-in/email"):
        assert service.get(path).status_code == 401
        assert service.get(path, issuer.token("alice")).status_code in {403, 404}
        assert service.get(path, issuer.token("auth")).status_code == 404
