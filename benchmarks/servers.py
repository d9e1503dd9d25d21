"""The servers under comparison, each as in production, on its own core."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil
from attrs import frozen

from benchmarks.machine import SERVER_CORE, keep_to
from benchmarks.world import OWNER, PASSWORD, SERVICE, World
from tests.support.postgres_local import free_port

HERE: Final = Path(__file__).parent
ALONE: Final = str(HERE.parent / ".venv" / "alone" / "bin" / "python")
"""The service's own virtual environment: where a peer's pydantic is installed, Litestar would load it."""
UNLIMITED: Final = "1000000000/minute"
"""Requests are counted, but never rejected."""


@frozen
class Server:
    """A running server."""

    name: str
    url: str
    process: psutil.Process

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve requests: the server process itself, or the workers that it supervises."""
        workers = [one for one in self.process.children() if "--multiprocessing-fork" in one.cmdline()]
        return workers or [self.process]


def ours(world: World, **more: str) -> dict[str, str]:
    """The settings of the service, with all security checks on."""
    return {
        "DATABASE_URL": world.database(SERVICE),
        "BETTER_AUTH_BASE_URL": world.issuer_url,
        "EVO_TODO_RATE_LIMIT": UNLIMITED,
        "EVO_TODO_LOG_FORMAT": "json",
    } | more


def migrate(world: World, database: str | None = None) -> None:
    """Create the tables and, on PostgreSQL, the service's role."""
    role = {"EVO_TODO_SERVICE_ROLE": SERVICE, "EVO_TODO_SERVICE_PASSWORD": PASSWORD}
    env = {"DATABASE_URL": database} if database else {"DATABASE_URL": world.database(OWNER)} | role
    subprocess.run(
        [sys.executable, "-m", "entrypoints.cli", "migrate"], env=os.environ | env, check=True, capture_output=True
    )


@contextmanager
def evo_todo(world: World, name: str = "evo-todo", under: Sequence[str] = (), **more: str) -> Generator[Server]:
    """The service, by `evo-todo serve`; `under` is a command that runs it, such as a profiler."""
    with _started(name, [*under, ALONE, "-m", "entrypoints.cli", "serve"], ours(world, **more), "EVO_TODO_PORT") as it:
        yield it


@contextmanager
def python_peer(world: World, name: str, module: str) -> Generator[Server]:
    """A peer on uvicorn, with its fastest components and without an access log."""
    port = "PORT"
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app", "--no-access-log"]
    command += ["--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]
    with _started(name, command, peer_settings(world), port, as_option=True) as it:
        yield it


@contextmanager
def fastify(world: World, name: str, *, has_cache: bool) -> Generator[Server]:
    """The peer on Node.js, with or without a cache of verified tokens."""
    folder = HERE / "peers" / "fastify"
    if not (folder / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--loglevel=error", "--ignore-scripts"], cwd=folder, check=True)
    env = peer_settings(world) | {"TOKEN_CACHE": "1" if has_cache else "", "NODE_ENV": "production"}
    with _started(name, ["node", str(folder / "server.mjs")], env, "PORT") as it:
        yield it


def peer_settings(world: World) -> dict[str, str]:
    """The settings of the peers."""
    return {"DATABASE_URL": world.database(SERVICE), "ISSUER": world.issuer_url}


@contextmanager
def _started(
    name: str, command: list[str], env: dict[str, str], port_setting: str, *, as_option: bool = False
) -> Generator[Server]:
    port = str(free_port())
    more = ["--port", port] if as_option else []
    with Path(os.devnull).open("w") as null:
        process = subprocess.Popen(
            [*command, *more],
            env=os.environ | env | {port_setting: port},
            stdout=null,
            stderr=null,
            cwd=HERE.parent,
            start_new_session=True,
            preexec_fn=lambda: keep_to({SERVER_CORE}),
        )
        seen = psutil.Process(process.pid)
        server = Server(name, f"http://127.0.0.1:{port}", seen)
        try:
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)


def _wait_for(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{server.url}/health", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)  # the poll interval
    raise SystemExit(f"{server.name} does not start")
