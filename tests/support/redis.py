"""A Redis of the test's own, on a loopback port; nothing of it lasts."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from subprocess import DEVNULL
from typing import Final

from attrs import define, field

from tests.support.postgres_local import free_port

PROGRAM: Final = shutil.which("redis-server") or shutil.which("valkey-server")
ABSENT: Final = "no redis-server here; on Debian: apt-get install redis-server"
PATIENCE: Final = 20.0
"""Seconds."""


@define
class RedisServer:
    """A server to stop and start; it forgets everything in between."""

    port: int = field(factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", tempfile.gettempdir()],
            stdin=DEVNULL,
            stdout=DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)  # between two looks at another process; the deadline above is what counts

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    def _answers(self) -> bool:
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
