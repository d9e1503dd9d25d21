"""Run what people run the service with, in every version that is installed here: PostgreSQL, PgBouncer, proxies."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.report import ROOT
from tests.support.pgbouncer import PGBOUNCER
from tests.support.postgres_local import candidates, version
from tests.support.proxies import program

SQL: Final = (
    "test_addresses.py",
    "test_defaults_of_a_database.py",
    "test_row_security.py",
    "test_filled_migrations.py",
)
PROCESSES: Final = ("test_failover.py", "test_poolers.py", "test_roles.py", "test_operators.py")
TESTS: Final = [
    *(f"tests/integration/sql/{name}" for name in SQL),
    *(f"tests/integration/processes/{name}" for name in PROCESSES),
]
WITH_THE_FRONTEND: Final = ["tests/interop/test_postgresql.py", "tests/interop/test_proxies.py"]


def deployments(*, with_frontend: bool) -> dict[str, str]:
    """The last line of the tests with each version."""
    tests = TESTS + (WITH_THE_FRONTEND if with_frontend else [])
    found = {}
    for programs in candidates():
        if (name := version(programs)) is not None and name not in found:
            found[name] = _run(programs, tests)
    return found | {"with": ", ".join(_others())}


def _run(programs: Path, tests: list[str]) -> str:
    environment = os.environ | {"TEST_POSTGRES_PROGRAMS": str(programs), "TESTS_NO_DOCKER": "1"}
    command = [sys.executable, "-m", "pytest", "-q", *tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout)
    return done.stdout.strip().rpartition("\n")[2]


def _others() -> list[str]:
    """The versions of the other programs."""
    found = []
    for path, option in ((PGBOUNCER, "--version"), (program("haproxy"), "-v"), (program("nginx"), "-v")):
        if path is not None:
            done = subprocess.run([path, option], capture_output=True, text=True, check=False)
            found.append((done.stdout or done.stderr).partition("\n")[0])
    return found
