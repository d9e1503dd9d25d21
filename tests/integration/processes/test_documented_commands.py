"""The commands of operations.md, how-to/hosted-postgresql.md and how-to/backup.md, as written but for addresses."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.code_blocks import shell_blocks
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import execute
from tests.support.postgres_local import Installation, PostgresServer, free_port
from tests.support.service import HOST, TIMEOUT, end, environment, eventually, running

PROGRAMS = Path(sys.executable).parent
ROLES, AUDIT = shell_blocks("operations.md")
[HOSTED] = shell_blocks("how-to/hosted-postgresql.md")
VERIFIED = "?sslmode=verify-full&sslrootcert=system"
DATABASES = (
    "CREATE ROLE owner LOGIN CREATEROLE",
    "CREATE DATABASE name OWNER owner",
    "CREATE DATABASE new_name",
)


def in_a_shell(commands: str, folder: Path, settings: dict[str, str]) -> str:
    """What the commands print. Fails if one of them does."""
    ran = subprocess.run(
        ["sh", "-euc", commands],
        cwd=folder,
        env=environment(settings, folder),
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def server(own_postgres: PostgresServer, tmp_path: Path) -> str:
    """The host and port of a server with an empty database of `owner`; `.venv` is in the folder."""
    (tmp_path / ".venv").symlink_to(PROGRAMS.parent)
    execute(own_postgres.url, *DATABASES)
    return f"{HOST}:{own_postgres.port}"


@pytest.mark.parametrize("commands", [ROLES, HOSTED], ids=["operations", "hosted-postgresql"])
def test_one_role_migrates_and_another_serves(
    commands: str, server: str, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    assert commands.endswith("\n.venv/bin/evo-todo serve\n")
    port = free_port()
    settings = {"EVO_TODO_PORT": str(port), "EVO_TODO_CORS_ORIGINS": f"http://{HOST}:{own_issuer.port}"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-euc", commands.replace("@host/", f"@{server}/").replace(VERIFIED, "")],
            cwd=tmp_path,
            env=environment(own_issuer.settings | settings, tmp_path),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://{HOST}:{port}", trust_env=False, timeout=TIMEOUT) as http:
            eventually(lambda: process.poll() is not None or http.get("/readyz").is_success)
            assert process.poll() is None, (tmp_path / "log").read_text()
            headers = {"Authorization": f"Bearer {own_issuer.token('alice')}"}
            created = http.post("/api/alice/tasks", json={"title": "Buy milk"}, headers=headers)
            assert created.status_code == 201, created.text
    finally:
        end(process)


def test_a_database_is_dumped_restored_and_prepared(
    server: str, postgres_programs: Installation, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    copy, prepare = shell_blocks("how-to/backup.md")
    settings = own_issuer.settings | {
        "DATABASE_URL": f"postgresql://owner@{server}/name",
        "EVO_TODO_SERVICE_ROLE": "evo_todo_service",
    }
    in_a_shell(".venv/bin/evo-todo migrate", tmp_path, settings)
    administrator = {
        "PATH": f"{postgres_programs.programs}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": f"postgresql://postgres@{server}/name",
        "NEW_DATABASE_URL": f"postgresql://postgres@{server}/new_name",
    }
    in_a_shell(copy, tmp_path, administrator)
    in_a_shell(prepare, tmp_path, settings | {"DATABASE_URL": f"postgresql://owner@{server}/new_name"})


def test_the_audit_log_is_read_by_user_and_by_kind(own_issuer: LoopbackIssuer, tmp_path: Path) -> None:
    settings = own_issuer.settings | {"DATABASE_URL": "sqlite:///tasks.db"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        assert service.get("/api/bob/tasks", own_issuer.token("4f9c…")).status_code == 403
        service.stop()
    found = in_a_shell(AUDIT, tmp_path, settings | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"})
    assert found.count("access-denied") == 2, "by user, and by kind"
