import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.pgbouncer import FIRST_THAT_PREPARES, PGBOUNCER, VERSION
from tests.support.postgres import (
    OWNER,
    Installation,
    PostgresServer,
    execute,
    fresh_database,
    installation,
    make_roles,
    postgres,
)

NOTES = pytest.StashKey[list[str]]()
"""How PostgreSQL was started, for the summary."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = []


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_programs() -> Iterator[Installation]:
    with installation(in_memory=True) as programs:
        yield programs


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The administrator's URL of the server that all tests of one process share; not durable, never stopped."""

    def programs() -> Installation:
        found = request.getfixturevalue("postgres_programs")
        assert isinstance(found, Installation)
        return found

    with postgres(programs, request.config.stash[NOTES].append) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database for one test, as its owner."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def own_postgres(postgres_programs: Installation) -> Iterator[PostgresServer]:
    """A durable server for one test, to stop, start, crash, pause and resume."""
    with postgres_programs.server(durable=True) as server:
        make_roles(server.url)
        execute(server.url, f"ALTER DATABASE postgres OWNER TO {OWNER}")
        yield server


def unproven(reporter: pytest.TerminalReporter) -> int:
    return sum(len(reporter.stats.get(outcome, [])) for outcome in ("skipped", "xfailed"))


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:  # in a worker of pytest-xdist
        output["notes"] = session.config.stash[NOTES]
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if in_ci() and reporter and unproven(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the notes of a worker of pytest-xdist."""
    notes = node.config.stash[NOTES]
    notes += [note for note in getattr(node, "workeroutput", {}).get("notes", []) if note not in notes]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if PGBOUNCER is None:
        terminalreporter.write_line("PgBouncer: not installed, its tests are left out")
    elif VERSION < FIRST_THAT_PREPARES:
        terminalreporter.write_line("PgBouncer: before 1.21, tests of its prepared statements are left out")
    for note in config.stash[NOTES]:
        terminalreporter.write_line(f"PostgreSQL: {note}")
    if in_ci() and (count := unproven(terminalreporter)):
        terminalreporter.write_line(f"CI is set: {count} skipped or expected to fail, which counts as failed", red=True)
