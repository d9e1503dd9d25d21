"""`make web`: one command runs the frontend and the API on embedded databases."""

import signal
import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL

import httpx
import pytest

from tests.support.frontend import FRONTEND, PASSWORD, command
from tests.support.postgres_local import free_port
from tests.support.service import TIMEOUT, end, environment, eventually, group

EVO_TODO = Path(sys.executable).with_name("evo-todo")


@pytest.mark.parametrize("interrupted", ["both", "the API alone"])
def test_one_command_runs_both_and_stops_both_whichever_is_interrupted(tmp_path: Path, interrupted: str) -> None:
    web, api = (f"http://localhost:{free_port()}" for _ in range(2))
    settings = {
        "BETTER_AUTH_BASE_URL": web,
        "EVO_TODO_DATA": str(tmp_path / "the data"),
        "EVO_TODO_PORT": api.rpartition(":")[2],
    }
    node, _ = command()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [node, str(FRONTEND / "scripts" / "together.mjs"), str(EVO_TODO)],
            env=environment(settings, tmp_path),
            cwd=tmp_path,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # like a terminal, whose Ctrl-C signals the whole group
        )
    try:
        with httpx.Client(base_url=web, headers={"Origin": web}, trust_env=False, timeout=TIMEOUT) as browser:
            eventually(lambda: browser.get("/login").is_success and httpx.get(f"{api}/readyz").is_success)
            person = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
            user = browser.post("/api/auth/sign-up/email", json=person).json()["user"]
            token = browser.get("/api/auth/token").json()["token"]
            response = httpx.post(
                f"{api}/api/{user['id']}/tasks",
                json={"title": "Buy milk"},
                headers={"Authorization": f"Bearer {token}"},
            )
        assert response.status_code == 201, response.text
        assert {path.name for path in (tmp_path / "the data").iterdir()} >= {"auth.db", "auth-secret", "tasks.db"}
        for member in group(process):
            if interrupted == "both" or "dev" in member.cmdline():
                member.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)
        assert list(group(process)) == []
    finally:
        end(process)
        sys.stderr.write((tmp_path / "log").read_text())
