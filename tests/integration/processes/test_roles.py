"""Whom the service is towards PostgreSQL: one whom row-level security holds, or it does not start."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import as_role, execute
from tests.support.postgres_local import free_port
from tests.support.service import eventually, evo_todo, running


@pytest.fixture
def admin_url(postgres_server: str, postgres_url: str) -> str:
    return urlsplit(postgres_server)._replace(path=urlsplit(postgres_url).path).geturl()


@pytest.fixture
def role(admin_url: str) -> Iterator[str]:
    name = f"evo_todo_{uuid4().hex}"
    yield name
    execute(admin_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_the_role_that_migrate_makes_is_one_that_serves(
    postgres_url: str, role: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"EVO_TODO_SERVICE_ROLE": role, "EVO_TODO_SERVICE_PASSWORD": "for-tests-only"}
    for _ in range(2):
        migrated = evo_todo("migrate", folder=tmp_path, settings=settings | {"DATABASE_URL": postgres_url})
        assert migrated.returncode == 0, migrated.stderr

    settings = {"DATABASE_URL": as_role(postgres_url, role)} | issuer.settings
    with (
        running("serve", folder=tmp_path, settings=settings) as service,
        service.client(issuer.token("alice")) as client,
    ):
        made = client.post("/api/alice/tasks", json={"title": "Buy milk"})
        assert made.status_code == 201
        path = f"/api/alice/tasks/{made.json()['id']}"
        assert client.put(path, json={"title": "Buy bread"}).json()["title"] == "Buy bread"
        assert client.delete(path).status_code == 204
        eventually(lambda: service.get("/readyz").is_success)
        assert service.get("/readyz").json()["checks"]["row-security"] == "ok"


def test_no_role_is_made_that_could_pass_the_policies(postgres_url: str, tmp_path: Path) -> None:
    owner = str(urlsplit(postgres_url).username)
    migrated = evo_todo(
        "migrate", folder=tmp_path, settings={"DATABASE_URL": postgres_url, "EVO_TODO_SERVICE_ROLE": owner}
    )
    assert migrated.returncode == 1
    assert "Error: EVO_TODO_SERVICE_ROLE: " in migrated.stderr
    assert "Traceback" not in migrated.stderr


def test_a_superuser_is_refused_in_one_line_that_says_what_to_do(
    admin_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": admin_url, "EVO_TODO_PORT": str(free_port())} | issuer.settings
    ended = evo_todo("serve", "--migrate", folder=tmp_path, settings=settings)

    assert ended.returncode == 1
    assert ended.stdout == ""
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("Error: DATABASE_URL: its role is a superuser or has BYPASSRLS")
    assert "EVO_TODO_SERVICE_ROLE" in line
    assert "EVO_TODO_ALLOW_RLS_BYPASS=true" in line
    assert "Traceback" not in ended.stderr


def test_a_superuser_that_is_allowed_by_name_serves_and_is_warned_of(
    admin_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": admin_url, "EVO_TODO_ALLOW_RLS_BYPASS": "true", "EVO_TODO_LOG_FORMAT": "json"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings | issuer.settings) as service:
        assert service.get("/api/alice/tasks", issuer.token("alice")).status_code == 200
        eventually(lambda: service.get("/readyz").is_success)
        (warning,) = [line for line in service.log_lines if line["event"] == "row-level security is not in force"]
        assert warning["level"] == "warning"
        assert "superuser" in warning["problem"]


def test_tables_without_policies_are_reported_at_the_start_and_by_the_probe(
    postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    assert evo_todo("migrate", folder=tmp_path, settings={"DATABASE_URL": postgres_url}).returncode == 0
    execute(postgres_url, "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY")
    settings = {"DATABASE_URL": postgres_url, "EVO_TODO_LOG_FORMAT": "json"} | issuer.settings
    with running("serve", folder=tmp_path, settings=settings) as service:
        not_ready = service.get("/readyz")
        assert not_ready.status_code == 503
        assert "row-security" in not_ready.json()["detail"]
        assert "evo-todo migrate" in not_ready.json()["detail"]
        assert "row-level security is not in force" in {line["event"] for line in service.log_lines}
