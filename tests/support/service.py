"""The service as its users run it: a process with a port, standard output and standard error."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Final, TypeVar

import httpx
import psutil
from attrs import frozen

from tests.support.postgres_local import free_port

HOST: Final = "127.0.0.1"
TIMEOUT: Final = 60.0
"""Seconds: far more than anything takes for which the service guarantees no time."""
STOP_TIMEOUT: Final = 10.0
"""Seconds within which the service exits after a signal: this one is guaranteed."""

UNLIMITED: Final = {"EVO_TODO_RATE_LIMIT": "off", "EVO_TODO_ADDRESS_RATE_LIMIT": "off"}
"""Tests send more requests than people do; the tests of the limits set their own."""

_OURS: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH")
T = TypeVar("T")


def eventually(check: Callable[[], T], *, within: float = TIMEOUT) -> T:
    """Poll until the result is true, and return it; a failed connection counts as false."""
    deadline = time.monotonic() + within
    while True:
        with suppress(httpx.TransportError, OSError):
            if result := check():
                return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not even after {within:.0f} s")
        time.sleep(0.05)  # the poll interval; the deadline above decides


@frozen
class Service:
    """A running service. Its folder is its working directory."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    _output: Path
    _log: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def output(self) -> str:
        """Its standard output so far."""
        return self._output.read_text()

    @property
    def log(self) -> str:
        """Its standard error so far."""
        return self._log.read_text()

    @property
    def log_lines(self) -> list[dict[str, Any]]:
        """The complete lines of the log, parsed as JSON."""
        whole, _, _ = self.log.rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def client(self, token: str | None = None, *, timeout: float = TIMEOUT) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Loading certificates takes longer than most requests here, and TLS is not used.
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False, verify=False)

    def get(self, path: str, token: str | None = None, *, timeout: float = TIMEOUT) -> httpx.Response:
        with self.client(token, timeout=timeout) as client:
            return client.get(path)

    def is_refusing(self) -> bool:
        """Whether the port refuses connections."""
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) != 0

    def send_signal(self, what: signal.Signals) -> None:
        """Send the signal to the process that was started, as a supervisor does."""
        self.process.send_signal(what)

    def interrupt(self) -> None:
        """Send SIGINT to the whole group, as a terminal does at Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        """The exit code, within the guaranteed time."""
        return self.process.wait(STOP_TIMEOUT)

    def stop(self) -> int:
        """Stop it gracefully, as a supervisor does, and return the exit code: its queues are written by then."""
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Kill it and its workers, as the end of `running` does: what is in their queues is lost."""
        end(self.process)


def environment(settings: dict[str, str], folder: Path) -> dict[str, str]:
    """These settings, and none of the test run's own environment."""
    return {name: os.environ[name] for name in _OURS if name in os.environ} | {"HOME": str(folder)} | settings


def _finding(program: str) -> dict[str, str]:
    """Where Python finds a program of the tests, which are not installed."""
    if not program.startswith("tests."):
        return {}
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def evo_todo(
    *arguments: str, folder: Path, settings: dict[str, str] | None = None, timeout: float = TIMEOUT
) -> "subprocess.CompletedProcess[str]":
    """Run a command until it exits."""
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli", *arguments],
        env=environment(settings or {}, folder),
        cwd=folder,
        stdin=DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def running(
    *arguments: str, folder: Path, settings: dict[str, str], program: str = "entrypoints.cli"
) -> Generator[Service]:
    """Start `evo-todo <arguments>` on a free or given port, wait until it responds, and end it with all its workers.

    Another module of this repository can be run instead of the command line.
    """
    port = int(settings.get("EVO_TODO_PORT") or free_port())
    with ExitStack() as stack:
        output, log = (stack.enter_context(tempfile.NamedTemporaryFile()) for _ in range(2))
        process = subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            env=environment(UNLIMITED | settings | {"EVO_TODO_PORT": str(port)}, folder) | _finding(program),
            cwd=folder,
            stdin=DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,  # its own process group, so that its workers can be found and ended
        )
        service = Service(process, port, folder, Path(output.name), Path(log.name))
        try:
            eventually(lambda: process.poll() is not None or service.get("/health").is_success)
            assert process.poll() is None, service.log
            yield service
        finally:
            end(process)
            sys.stderr.write(service.log)  # pytest shows it where a test fails


def group(process: "subprocess.Popen[bytes]") -> Iterator[psutil.Process]:
    """Yield the running processes of its process group."""
    for one in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getpgid(one.pid) == process.pid and one.status() != psutil.STATUS_ZOMBIE:
                yield one


def end(process: "subprocess.Popen[Any]") -> None:
    """Kill the process and its children, which are alone in its process group."""
    if list(group(process)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(TIMEOUT)
    eventually(lambda: not list(group(process)))
