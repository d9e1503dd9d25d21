"""The service does what its OpenAPI document says, whatever is asked of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import TIMEOUT, running

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_the_service_keeps_its_document_under_every_check(
    database: str, issuer: LoopbackIssuer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "sqlite:///tasks.db" if database == "sqlite" else request.getfixturevalue("postgres_url")
    settings = issuer.settings | {"DATABASE_URL": url, "EVO_TODO_LOG_FORMAT": "json"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        ran = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                f"--config-file={CONFIG}",
                "run",
                f"{service.url}/openapi.json",
                f"--header=Authorization: Bearer {issuer.token('alice')}",
                "--checks=all",
                "--phases=examples,coverage,fuzzing,stateful",
                "--max-examples=30",
                "--seed=20260101",
                "--continue-on-failure",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=5 * TIMEOUT,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        assert "No issues found" in ran.stdout
        assert re.search(r"API Links: +[1-9]", ran.stdout), "calls were made with what others answered"
        statuses = {line["status"] for line in service.log_lines if line["event"] == "request"}
    assert {200, 201, 204, 404, 422} <= statuses, "the calls were made, and some were fine"
    assert not {status for status in statuses if status >= 500}
