"""PgBouncer in transaction mode in front of a PostgreSQL server: a connection for each transaction, not each client."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from urllib.parse import urlsplit

from tests.support.postgres import OWNER, SERVICE, as_role
from tests.support.postgres_local import free_port
from tests.support.proxies import is_listening
from tests.support.service import HOST, TIMEOUT, eventually

CONFIGURATION = """
[databases]
* = host={host} port={server}
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
"""

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
PGBOUNCER = shutil.which("pgbouncer", path=PATH)
"""The program; `None` where it is not installed: then no test needs it."""


@contextmanager
def pgbouncer(url: str, folder: Path) -> Generator[str]:
    """Start it for the server of an address, and yield the same address behind it."""
    assert PGBOUNCER, "apt-get install pgbouncer"
    parts, port = urlsplit(url), free_port()
    folder.mkdir(exist_ok=True)
    file = folder / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(host=HOST, server=parts.port, port=port, folder=folder))
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
