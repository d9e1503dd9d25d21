import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres_local import free_port
from tests.support.service import HOST, TIMEOUT, environment, evo_todo

NAMES = [
    *("settings", "key-set", "keys", "clock", "expected-claims", "key-set-origin"),
    *("token", "cors", "database", "tables", "row-security"),
]
MARKS = {"ok": "ok", "note": "note", "failed": "FAIL", "skipped": "--"}
PASSWORD = "hunter2"


class Report:
    """The report of a run; it contains none of the secrets, neither as JSON nor in lines."""

    def __init__(self, *options: str, folder: Path, settings: dict[str, str], secrets: tuple[str, ...] = ()) -> None:
        self._again = partial(evo_todo, "doctor", *options, folder=folder, settings=settings)
        ended = self._again("--json")
        self.status = ended.returncode
        self.document: dict[str, Any] = json.loads(ended.stdout)
        assert [check["name"] for check in self.document["checks"]] == NAMES
        assert ended.stderr == ""
        assert (self.status, self.document["ok"]) in {(0, True), (1, False)}
        assert not [secret for secret in secrets if secret in ended.stdout or secret in "".join(self.lines())]

    def __getitem__(self, name: str) -> tuple[str, str, str]:
        found: dict[str, str] = next(check for check in self.document["checks"] if check["name"] == name)
        return found["status"], found["detail"], found["advice"] or ""

    def failed(self) -> list[str]:
        return [check["name"] for check in self.document["checks"] if check["status"] == "failed"]

    def lines(self) -> list[str]:
        """The same for people."""
        ended = self._again()
        assert (ended.stderr, ended.returncode) == ("", self.status)
        lines = ended.stdout.splitlines()
        marked = [[MARKS[check["status"]], check["name"]] for check in self.document["checks"]]
        assert [line.split()[:2] for line in lines] == marked
        return lines


@pytest.fixture(params=["sqlite", "postgresql"])
def database_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return {"DATABASE_URL": "sqlite:///tasks.db"}
    return {"DATABASE_URL": str(request.getfixturevalue("postgres_url"))}


def around(issuer: LoopbackIssuer, **more: str) -> dict[str, str]:
    return issuer.settings | {"EVO_TODO_CORS_ORIGINS": issuer.url} | more


def test_before_the_migration_it_says_migrate_and_afterwards_all_checks_pass(
    database_settings: dict[str, str], issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    settings = around(issuer) | database_settings

    before = Report(folder=tmp_path, settings=settings)
    assert before.status == 1
    assert any("run evo-todo migrate" in before[name][2] for name in before.failed())
    assert list(tmp_path.iterdir()) == []

    assert evo_todo("migrate", folder=tmp_path, settings=settings).returncode == 0
    files = sorted(tmp_path.iterdir())

    token = issuer.token("alice")
    after = Report("--token", token, folder=tmp_path, settings=settings, secrets=(token, *token.split(".")))
    assert after.failed() == []
    assert after.status == 0
    assert "opens /api/alice/tasks" in after["token"][1]
    assert "up to date" in after["tables"][1]
    assert after["clock"][0] == "ok"
    assert sorted(tmp_path.iterdir()) == files


def test_with_nothing_set_up_each_line_says_what_to_do(tmp_path: Path) -> None:
    settings = {"BETTER_AUTH_BASE_URL": f"http://{HOST}:{free_port()}"}
    report = Report(folder=tmp_path, settings=settings)
    assert report.failed() == ["key-set", "cors", "database"]
    assert "start Better Auth, or set EVO_TODO_JWKS_URL" in report["key-set"][2]
    assert "add it to EVO_TODO_CORS_ORIGINS" in report["cors"][2]
    assert "set it to postgresql://" in report["database"][2]
    assert report["keys"][0] == report["clock"][0] == report["token"][0] == report["tables"][0] == "skipped"


def test_a_setting_that_cannot_be_read_is_one_failed_line(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"mysql://alice:{PASSWORD}@host/x"}
    report = Report(folder=tmp_path, settings=settings, secrets=(PASSWORD, "Traceback"))
    assert report.failed() == ["settings"]
    assert report["settings"][1].startswith("DATABASE_URL=")


@pytest.mark.parametrize(("mood", "what"), [("failing", "status 500"), ("talking garbage", "a page, not with JSON")])
def test_an_issuer_that_publishes_no_keys_is_reported(
    mood: Any, what: str, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    own_issuer.mood = mood
    report = Report(folder=tmp_path, settings=around(own_issuer))
    assert what in report["key-set"][1]
    assert report["token"][0] == "skipped"


def test_a_token_for_another_audience_is_reported_with_both_names_and_not_printed(
    issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    token = issuer.token("alice")
    settings = around(issuer, EVO_TODO_AUDIENCE="http://b.example.com")
    report = Report("--token", token, folder=tmp_path, settings=settings, secrets=(token, *token.split(".")))
    status, detail, advice = report["token"]
    assert status == "failed"
    assert f'its `aud` is "{issuer.url}", but this service expects "http://b.example.com"' in detail
    assert "set EVO_TODO_AUDIENCE" in advice


def test_a_token_with_its_scheme_is_recognised_quoted_or_not(issuer: LoopbackIssuer, tmp_path: Path) -> None:
    token = issuer.token("alice")
    report = Report("--token", f"Bearer {token}", folder=tmp_path, settings=around(issuer), secrets=(token,))
    assert "`Bearer` still before it" in report["token"][1]

    ended = evo_todo("doctor", "--token", "Bearer", token, folder=tmp_path, settings=around(issuer))
    assert ended.returncode == 2
    assert "quote a value that contains a space" in ended.stderr
    assert token not in ended.stderr + ended.stdout


def test_an_origin_can_be_asked_for(issuer: LoopbackIssuer, tmp_path: Path) -> None:
    settings = around(issuer, EVO_TODO_CORS_ORIGINS="https://app.example.com")
    assert Report(folder=tmp_path, settings=settings)["cors"][0] == "failed"
    report = Report("--origin", "https://app.example.com", folder=tmp_path, settings=settings)
    assert report["cors"][0] == "ok"
    report = Report("--origin", "https://app.example.com/", folder=tmp_path, settings=settings)
    assert "a slash at the end" in report["cors"][1]


@pytest.mark.parametrize("how", ["--token", "--origin"])
def test_what_a_terminal_obeys_never_reaches_it(how: str, issuer: LoopbackIssuer, tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\x9b31m"
    report = Report(how, hostile, folder=tmp_path, settings=around(issuer))
    assert all(line.isascii() and line.isprintable() for line in report.lines())


class TestPassword:
    def test_a_missing_database_is_reported_without_its_password(self, issuer: LoopbackIssuer, tmp_path: Path) -> None:
        settings = around(issuer, DATABASE_URL=f"postgresql://alice:{PASSWORD}@{HOST}:{free_port()}/tasks")
        report = Report(folder=tmp_path, settings=settings, secrets=(PASSWORD, "Traceback"))
        assert report.failed() == ["database"]
        assert "nothing listens" in report["database"][1]

    def test_neither_is_it_with_a_database_of_another_name(
        self, issuer: LoopbackIssuer, postgres_url: str, tmp_path: Path
    ) -> None:
        url = urlsplit(postgres_url)._replace(path="/nowhere", query=f"password={PASSWORD}").geturl()
        report = Report(folder=tmp_path, settings=around(issuer, DATABASE_URL=url), secrets=(PASSWORD, "Traceback"))
        assert "no database of that name" in report["database"][1]


def test_everything_that_hangs_is_reported_and_the_command_ends(own_issuer: LoopbackIssuer, tmp_path: Path) -> None:
    own_issuer.mood = "dripping"
    with socket.create_server((HOST, 0)) as silent:
        url = f"postgresql://alice:{PASSWORD}@{HOST}:{silent.getsockname()[1]}/tasks"
        report = Report(folder=tmp_path, settings=around(own_issuer, DATABASE_URL=url))
    assert "no complete response within 5 s" in report["key-set"][1]
    assert report.failed() == ["key-set", "database"]
    assert "does not respond" in report["database"][1]


@contextmanager
def started(folder: Path, settings: dict[str, str], stdin: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "entrypoints.cli", "doctor", "--token", "-", "--json"]
    with subprocess.Popen(
        command,
        env=environment(settings, folder),
        cwd=folder,
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        start_new_session=True,  # else a prompt would turn to the terminal of whoever runs the tests
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def verdict(process: "subprocess.Popen[str]", said: str | None = None) -> dict[str, Any]:
    output, errors = process.communicate(said, TIMEOUT)
    assert said is None or not said.strip() or said.strip() not in output + errors
    found: dict[str, Any] = next(one for one in json.loads(output)["checks"] if one["name"] == "token")
    return found


class TestStandardInput:
    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_a_token_is_read_from_a_pipe(self, end: str, issuer: LoopbackIssuer, tmp_path: Path) -> None:
        with started(tmp_path, around(issuer), PIPE) as process:
            assert verdict(process, issuer.token("alice") + end)["status"] == "ok"

    def test_an_empty_pipe_is_an_empty_token(self, issuer: LoopbackIssuer, tmp_path: Path) -> None:
        with started(tmp_path, around(issuer), PIPE) as process:
            assert "it is empty" in verdict(process, "")["detail"]

    def test_an_endless_pipe_is_a_token_that_is_too_long(self, issuer: LoopbackIssuer, tmp_path: Path) -> None:
        with started(tmp_path, around(issuer), PIPE) as process:
            assert "at most 8192" in verdict(process, "x" * 1_000_000)["detail"]

    def test_a_pipe_that_stays_open_behind_the_line_is_not_waited_for(
        self, issuer: LoopbackIssuer, tmp_path: Path
    ) -> None:
        reading, writing = os.pipe()
        with closing(os.fdopen(writing, "w")) as pipe, started(tmp_path, around(issuer), reading) as process:
            os.close(reading)
            pipe.write(f"{issuer.token('alice')}\n")
            pipe.flush()
            assert verdict(process)["status"] == "ok"

    def test_a_pipe_without_a_line_times_out(self, issuer: LoopbackIssuer, tmp_path: Path) -> None:
        reading, writing = os.pipe()
        with closing(os.fdopen(writing, "w")), started(tmp_path, around(issuer), reading) as process:
            os.close(reading)
            output, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 1
        assert output == ""
        assert "no line on standard input" in errors

    def test_what_is_typed_is_not_shown(self, issuer: LoopbackIssuer, tmp_path: Path) -> None:
        keyboard, terminal = pty.openpty()
        with closing(os.fdopen(keyboard, "r+b", 0)) as hands, started(tmp_path, around(issuer), terminal) as process:
            os.close(terminal)
            assert process.stderr is not None
            assert process.stderr.read(len("Token: ")) == "Token: "
            hands.write(f"{issuer.token('alice')}\n".encode())
            assert verdict(process)["status"] == "ok"
            with suppress(OSError):  # Linux's word for a terminal that nobody has open any more
                assert hands.read(1000).strip() == b""
