import json
import shlex
import shutil
import signal
import stat
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import (
    STOP_TIMEOUT,
    TIMEOUT,
    Service,
    environment,
    eventually,
    evo_todo,
    group,
    running,
)
from tests.support.wire import wire

INTERRUPTED = {0, 130, -signal.SIGINT}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of the kind that breaks unquoted paths."""
    folder = tmp_path / "a new project"
    folder.mkdir()
    return folder


def printed_request(service: Service) -> list[str]:
    """The words of the command that it tells one to paste."""
    return shlex.split(next(line for line in service.output.splitlines() if line.startswith("curl ")))


def paste(words: list[str], folder: Path) -> tuple[int, Any]:
    """Status and body of what the command gets; where there is no curl, of the same request."""
    if shutil.which("curl"):
        command = [*words, "--write-out", "\n%{http_code}"]
        said = subprocess.run(
            command, env=environment({}, folder), capture_output=True, text=True, timeout=TIMEOUT, check=True
        ).stdout
        body, _, status = said.rpartition("\n")
        return int(status), json.loads(body)
    values = list(pairwise(words))
    headers = dict(value.split(": ", 1) for option, value in values if option == "-H")
    data = next(value for option, value in values if option == "-d")
    url = next(word for word in words if word.startswith("http"))
    answer = httpx.post(url, headers=headers, content=data, timeout=TIMEOUT, trust_env=False)
    return answer.status_code, answer.json()


def token_of(user: str, folder: Path) -> str:
    ended = evo_todo("token", user, folder=folder)
    assert ended.returncode == 0
    assert ended.stderr == ""
    token = ended.stdout.removesuffix("\n")
    assert token.split() == [token]
    return token


def test_in_an_empty_folder_it_serves_and_prints_a_request_that_works(folder: Path) -> None:
    with running("dev", folder=folder, settings={}) as service:
        status, task = paste(printed_request(service), folder)
        assert status == 201
        assert task["user_id"] == "alice"

        listed = service.get("/api/alice/tasks", token_of("alice", folder))
        assert listed.json()["data"] == [task]
        assert service.get("/api/bob/tasks", token_of("bob", folder)).json()["data"] == []
        assert service.get("/readyz").status_code == 200
    key = folder / ".evo-todo" / "issuer-key.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path for path in key.parent.iterdir() if "issuer" in path.name] == [key]


def test_an_interrupt_ends_it_despite_open_connections_and_tokens_and_tasks_remain_valid(folder: Path) -> None:
    options = ("dev", "--data", "my data", "--user", "bob")
    with running(*options, folder=folder, settings={}) as service:
        status, task = paste(words := printed_request(service), folder)
        assert status == 201
        with wire(service.port) as idle:
            idle.send("GET /health HTTP/1.1", "Host: localhost")
            assert idle.response().status == 200
            service.interrupt()
            assert service.wait() in INTERRUPTED
        assert "Traceback" not in service.log
        assert "Aborted" not in service.log

    with running(*options, folder=folder, settings={}) as service:
        headers = dict(word.split(": ", 1) for word in words if ": " in word)
        with service.client() as client:
            assert client.get("/api/bob/tasks", headers=headers).json()["data"] == [task]


def test_its_settings_are_those_of_the_environment(folder: Path) -> None:
    settings = {
        "DATABASE_URL": "sqlite:///elsewhere.db",
        "EVO_TODO_HOST": "localhost",
        "EVO_TODO_CORS_ORIGINS": "https://app.example.com",
        "EVO_TODO_LOG_FORMAT": "console",
        "BETTER_AUTH_BASE_URL": "https://auth.example.com",
    }
    with running("dev", folder=folder, settings=settings) as service:
        words = printed_request(service)
        assert f"http://localhost:{service.port}/api/alice/tasks" in words
        status, _ = paste(words, folder)
        assert status == 201
        with service.client() as client:
            answer = client.get("/health", headers={"Origin": "https://app.example.com"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert not any(line.startswith("{") for line in service.log.splitlines())
    assert (folder / "elsewhere.db").exists()
    assert not (folder / ".evo-todo" / "tasks.db").exists()


def test_with_an_issuer_given_none_of_its_own_is_started(folder: Path, issuer: LoopbackIssuer) -> None:
    settings = issuer.settings | {"EVO_TODO_JWKS_URL": f"{issuer.url}/api/auth/jwks"}
    with running("dev", folder=folder, settings=settings) as service:
        assert settings["EVO_TODO_JWKS_URL"] in service.output
        assert "curl" not in service.output
        assert service.get("/api/alice/tasks", issuer.token("alice")).status_code == 200
        assert service.get("/api/alice/tasks", issuer.forged_token("alice")).status_code == 401
        assert [path.name for path in (folder / ".evo-todo").iterdir() if "issuer" in path.name] == []


def test_reloading_it_serves_and_leaves_no_process_behind(folder: Path) -> None:
    with running("dev", "--reload", folder=folder, settings={}) as service:
        status, _ = paste(printed_request(service), folder)
        assert status == 201
        assert len(list(group(service.process))) >= 2

        service.interrupt()

        assert service.wait() in INTERRUPTED
        eventually(lambda: not list(group(service.process)), within=STOP_TIMEOUT)
        assert "Traceback" not in service.log
