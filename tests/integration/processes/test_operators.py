"""What an operator reads when something is not as it should be: the cause and the remedy, once."""

from pathlib import Path

import pytest

from tests.integration.processes.test_faults import TASKS, assert_try_later
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres_local import free_port
from tests.support.service import eventually, evo_todo, running

JSON = {"EVO_TODO_LOG_FORMAT": "json"}


@pytest.mark.parametrize(
    ("url", "cause", "remedy"),
    [
        ("sqlite:///tasks.db", "missing", "evo-todo migrate"),
        ("sqlite:////nowhere/at/all/tasks.db", "can't be opened", "create its folder"),
        ("postgresql://nobody@no-such-host.invalid/tasks", "host can't be found", "correct DATABASE_URL: its host"),
        ("postgresql://nobody@127.0.0.1:1/tasks", "refused", "start PostgreSQL"),
    ],
)
def test_a_database_that_cannot_be_used_is_logged_once_with_cause_and_remedy(
    url: str, cause: str, remedy: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    with running("serve", folder=tmp_path, settings={"DATABASE_URL": url} | JSON | issuer.settings) as service:
        token = issuer.token("alice")
        for _ in range(3):
            answer = service.get(TASKS, token)
            assert_try_later(answer)
            assert "database" not in answer.json()["detail"]
        eventually(lambda: any(line["event"] == "database unavailable" for line in service.log_lines))
        lines = [line for line in service.log_lines if line["event"] == "database unavailable"]
    causes = [line["cause"] for line in lines]
    assert len(causes) == len(set(causes)), "each cause once"
    assert any(cause in line["cause"] and remedy in line["remedy"] for line in lines)


def test_an_unmigrated_postgresql_database_is_logged_once(
    postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": postgres_url} | JSON | issuer.settings
    with running("serve", folder=tmp_path, settings=settings) as service:
        for _ in range(3):
            assert_try_later(service.get(TASKS, issuer.token("alice")))
        lines = [line for line in service.log_lines if line["event"] == "database unavailable"]
    assert [line["remedy"] for line in lines] == ["run `evo-todo migrate`"]


def test_host_and_port_are_options_too(issuer: LoopbackIssuer, tmp_path: Path) -> None:
    port = str(free_port())
    settings = {"DATABASE_URL": "sqlite:///tasks.db", "EVO_TODO_PORT": port} | issuer.settings
    taken = ("--host", "127.0.0.1", "--port", port)
    with running("serve", "--migrate", *taken, folder=tmp_path, settings=settings):
        refused = evo_todo("serve", *taken, folder=tmp_path, settings={"DATABASE_URL": "sqlite:///tasks.db"})
    assert refused.returncode == 1
    assert "cannot listen on 127.0.0.1 port" in refused.stderr


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b"])
def test_a_host_that_does_not_exist_is_named_in_words(host: str, tmp_path: Path) -> None:
    refused = evo_todo("serve", "--host", host, folder=tmp_path, settings={"DATABASE_URL": "sqlite:///tasks.db"})
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert f"cannot listen on {host}" in line
    assert "no such name or address" in line


@pytest.mark.parametrize("arguments", [("-h",), ("serve", "-h"), ("dev", "-h")])
def test_the_short_option_shows_the_help(arguments: tuple[str, ...], tmp_path: Path) -> None:
    helped = evo_todo(*arguments, folder=tmp_path)
    assert helped.returncode == 0
    assert "Usage: evo-todo" in helped.stdout
    assert "--port" in helped.stdout or len(arguments) == 1


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("EVO_TODO_RATELIMIT", "EVO_TODO_RATE_LIMIT"), ("EVO_TODO_PREPARED_STATEMENT", "EVO_TODO_PREPARED_STATEMENTS")],
)
def test_a_misspelt_setting_stops_the_start_with_the_nearest_one(name: str, nearest: str, tmp_path: Path) -> None:
    refused = evo_todo("serve", folder=tmp_path, settings={"DATABASE_URL": "sqlite:///tasks.db", name: "off"})
    assert refused.returncode == 2
    assert name in refused.stderr
    assert nearest in refused.stderr
