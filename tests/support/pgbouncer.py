"""PgBouncer in transaction mode in front of a PostgreSQL server: a connection for each transaction, not each client.

Version 1.21 or newer can keep account of clients' prepared statements, and tests run with it and without. It is looked
for on the PATH.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from urllib.parse import urlsplit

import pytest

from tests.support.postgres import OWNER, SERVICE, as_role
from tests.support.postgres_local import free_port
from tests.support.proxies import is_listening
from tests.support.service import HOST, TIMEOUT, eventually

CONFIGURATION = """
[databases]
* = host={database} port={server}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
server_reset_query =
{prepares}
"""

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
PGBOUNCER = shutil.which("pgbouncer", path=PATH)
"""The program; `None` where it is not installed: then no test needs it."""
FIRST_THAT_PREPARES = (1, 21)


def version() -> tuple[int, ...]:
    """The program's version: `(1, 18)`; empty where it is not installed."""
    if PGBOUNCER is None:
        return ()
    first, _, _ = subprocess.check_output([PGBOUNCER, "--version"], text=True).partition("\n")
    found = re.search(r"(\d+)\.(\d+)", first)
    assert found, first
    return int(found[1]), int(found[2])


VERSION = version()

DIRECT = pytest.mark.parametrize("migrated_url", ["postgresql", "sqlite"], indirect=True)
"""For tests of what a pooler has no part in: plans, the tables' constraints, LISTEN, the number of statements."""


@contextmanager
def pgbouncer(url: str, folder: Path, *, prepares: bool = False) -> Generator[str]:
    """Start it for the server of an address, and yield the same address behind it.

    `prepares`: it keeps account of prepared statements, which needs version 1.21 or newer.
    """
    assert PGBOUNCER, "apt-get install pgbouncer"
    parts, port = urlsplit(url), free_port()
    folder.mkdir(exist_ok=True)
    file = folder / "pgbouncer.ini"
    kept = f"max_prepared_statements = {200 if prepares else 0}" if VERSION >= FIRST_THAT_PREPARES else ""
    assert kept or not prepares, "PgBouncer 1.21 or newer is needed"
    places = {"host": HOST, "port": port, "database": parts.hostname, "server": parts.port or 5432, "folder": folder}
    file.write_text(CONFIGURATION.format(**places, prepares=kept))
    people = {urlsplit(as_role(url, role)).netloc.partition("@")[0].partition(":") for role in (OWNER, SERVICE)}
    (folder / "users").write_text("".join(f'"{name}" "{password}"\n' for name, _, password in people))
    account = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    for path in (folder, *folder.parents):
        if account and path.is_relative_to(Path(os.environ.get("TMPDIR", "/tmp"))):
            path.chmod(path.stat().st_mode | 0o055)
    process = subprocess.Popen(
        [PGBOUNCER, str(file)], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, user=account, extra_groups=account and []
    )
    try:
        eventually(lambda: process.poll() is not None or is_listening(port))
        assert process.poll() is None, "pgbouncer has exited"
        login = parts.netloc.rpartition("@")[0]
        yield parts._replace(netloc=f"{login}@{HOST}:{port}").geturl()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(TIMEOUT)
