"""The TypeScript client against the service: the test that otherwise runs against a fake of it."""

import os
import shutil
import subprocess
from pathlib import Path
from subprocess import DEVNULL

from tests.interop.conftest import StartApi
from tests.support.loopback_issuer import an_issuer

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
TIMEOUT = 300.0
"""Seconds: the test itself takes some ten, on a machine that is not busy."""


def test_a_client_whose_connections_break_ends_with_the_true_list(start_api: StartApi) -> None:
    npx = shutil.which("npx")
    assert npx, "npx is not on the PATH"
    with an_issuer() as issuer, start_api(issuer.settings) as service:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(service.folder),
            "TASKS_API_URL": f"{service.url}/api",
            "TASKS_API_TOKEN": issuer.token("alice"),
        }
        ran = subprocess.run(
            [npx, "vitest", "run", "src/watch-convergence"],
            cwd=CLIENT,
            env=environment,
            stdin=DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
