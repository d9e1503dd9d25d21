import json
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.postgres_local import free_port
from tests.support.service import HOST, evo_todo


@pytest.mark.parametrize(
    ("command", "essentials"),
    [
        ((), ("dev", "serve", "migrate", "token", "doctor", "openapi", "DATABASE_URL", "BETTER_AUTH_BASE_URL")),
        (("dev",), ("--data", "--user", "--reload", "EVO_TODO_JWKS_URL", "evo-todo token bob")),
        (("serve",), ("--migrate", "DATABASE_URL", "SIGTERM")),
        (("migrate",), ("DATABASE_URL", "safe to run again")),
        (("distribute",), ("DATABASE_URL", "--dry-run", "EVO_TODO_SHARDED", "Safe to repeat")),
        (("token",), ("USER", "--data", "Authorization: Bearer")),
        (("audit",), ("--user", "--since", "--kind", "--limit", "--json", "access-denied")),
        (("purge",), ("EVO_TODO_AUDIT_RETENTION", "EVO_TODO_TOMBSTONE_RETENTION", "cron")),
        (("doctor",), ("--token", "--origin", "--json", "standard input", "ps", "evo-todo doctor --token -")),
        (("openapi",), ("--output", "OpenAPI")),
    ],
    ids=lambda words: words[0] if words else "evo-todo",
)
def test_help_names_the_essentials(command: tuple[str, ...], essentials: tuple[str, ...], tmp_path: Path) -> None:
    ended = evo_todo(*command, "--help", folder=tmp_path)

    assert ended.returncode == 0
    assert ended.stderr == ""
    assert [word for word in essentials if word not in ended.stdout] == []


def test_help_keeps_commands_on_lines_of_their_own(tmp_path: Path) -> None:
    lines = [line.strip() for line in evo_todo("--help", folder=tmp_path).stdout.splitlines()]

    assert "Try it:       evo-todo dev" in lines
    assert "Run it:       evo-todo migrate && evo-todo serve" in lines
    assert "Fix it:       evo-todo doctor" in lines


@pytest.mark.parametrize("arguments", [("sevre",), ("serve", "--prot"), ("token",)])
def test_an_invalid_argument_is_explained(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = evo_todo(*arguments, folder=tmp_path)

    assert ended.returncode == 2
    assert "Usage: evo-todo" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_description_is_json_and_the_same_in_a_file(tmp_path: Path) -> None:
    printed = evo_todo("openapi", folder=tmp_path)
    written = evo_todo("openapi", "--output", "api.json", folder=tmp_path)

    assert printed.returncode == written.returncode == 0
    assert json.loads(printed.stdout)["openapi"].startswith("3.1")
    assert (tmp_path / "api.json").read_text() == printed.stdout
    assert written.stdout == ""


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else "sqlite:///tasks.db"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_migrations_run_at_once_and_again_without_harm(database: str, tmp_path: Path) -> None:
    def migrate(_: int) -> tuple[int, str]:
        ended = evo_todo("migrate", folder=tmp_path, settings={"DATABASE_URL": database})
        return ended.returncode, ended.stderr

    with ThreadPoolExecutor(3) as machines:
        at_once = list(machines.map(migrate, range(3)))

    assert [message for code, message in at_once if code != 0] == []
    assert migrate(3)[0] == 0


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://alice:S3cret@127.0.0.1:{free_port()}/tasks",
        "postgresql://alice:S3cret@127.0.0.1:port/tasks",
        "sqlite:///no/such/folder/tasks.db",
        "sqlite:///notes.txt",
    ],
    ids=["nobody there", "no port", "no folder", "no database"],
)
def test_a_database_that_cannot_be_migrated_is_explained(address: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are notes.\n" * 100)

    ended = evo_todo("migrate", folder=tmp_path, settings={"DATABASE_URL": address})

    assert ended.returncode != 0
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "S3cret" not in ended.stderr
    assert (tmp_path / "notes.txt").read_text().startswith("These are notes.")


@pytest.mark.parametrize(
    ("user", "rule"),
    [
        ("", "1 to 255 characters"),
        ("u" * 256, "1 to 255 characters"),
        ("alice\nbob", "control characters"),
        ("alice/bob", "slash"),
    ],
    ids=["empty", "too long", "two lines", "two segments"],
)
def test_no_token_is_made_for_what_can_be_nobodys_id(user: str, rule: str, tmp_path: Path) -> None:
    ended = evo_todo("token", user, folder=tmp_path)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert rule in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_new_key_is_mentioned_beside_the_token_and_an_old_one_is_not(tmp_path: Path) -> None:
    first, second = evo_todo("token", "alice", folder=tmp_path), evo_todo("token", "alice", folder=tmp_path)

    assert "--data" in first.stderr
    assert second.stderr == ""
    assert first.stdout.count(".") == second.stdout.count(".") == 2


def test_a_database_of_a_newer_version_is_explained(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": "sqlite:///tasks.db"}
    assert evo_todo("migrate", folder=tmp_path, settings=settings).returncode == 0
    with closing(sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")

    ended = evo_todo("migrate", folder=tmp_path, settings=settings)

    assert ended.returncode == 1
    assert "another version" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_port_in_use_is_reported_before_anything_else(command: str, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {"EVO_TODO_PORT": port, "DATABASE_URL": "sqlite:///tasks.db"}
        ended = evo_todo(command, folder=tmp_path, settings=settings)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert port in ended.stderr
    assert "EVO_TODO_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
