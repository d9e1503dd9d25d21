"""Clients that never read, and a trailer that ends a connection behind a proxy."""

import socket
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.machine import memory_mib, need
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, user, world
from tests.support.proxies import proxy

CLIENTS: Final = 60
PIPELINED: Final = 5
CUT_OFF: Final = 45.0
"""Seconds after which nobody who does not read should have a connection."""

_TRAILER: Final = (
    b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nConnection: close\r\n\r\n"
)


def attack(clients: int = CLIENTS, seconds: float = CUT_OFF) -> dict[str, str]:
    """Run the attacks one after the other; what each of them did."""
    need("haproxy", "haproxy")
    with world() as made:
        migrate(made)
        with evo_todo(made) as server:
            _fill_with_controls(made, server)
            return _never_read(made, server, clients, seconds) | {"trailer behind haproxy": _trailer(server)}


def _fill_with_controls(made: World, server: Server) -> None:
    """A list whose JSON is six times as long as its text."""
    task = {"title": "A" + "\x01" * 254, "description": "\x01" * 2000}
    mine = {"Authorization": f"Bearer {made.token(0)}"}
    with httpx.Client(base_url=server.url, headers=mine, timeout=60, trust_env=False, verify=False) as client:
        for _ in range(1000):
            client.post(f"/api/{user(0)}/tasks", json=task).raise_for_status()


def _never_read(made: World, server: Server, clients: int, seconds: float) -> dict[str, str]:
    """Ask for large pages, again and again, and read nothing."""
    head = f"GET /api/{user(0)}/tasks?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made.token(0)}\r\n\r\n"
    before = peak = memory_mib(server.process)
    with ExitStack() as stack:
        opened = [stack.enter_context(_client(server)) for _ in range(clients)]
        for client in opened:
            client.send(head.encode() * PIPELINED)
        until = time.monotonic() + seconds
        while time.monotonic() < until and _connections(server):
            for client in opened:
                with suppress(OSError):  # nothing more is taken, or it was cut off
                    client.send(head.encode())
            peak = max(peak, memory_mib(server.process))
            time.sleep(0.5)  # the pace of the attack
        left = _connections(server)
    after = memory_mib(server.process)
    return {
        "clients that never read": f"{before:.0f} MiB, at most {peak:.0f} MiB, then {after:.0f} MiB",
        "of them still connected": f"{left} of {clients} after {seconds:.0f} s",
    }


@contextmanager
def _client(server: Server) -> Generator[socket.socket]:
    address = urlsplit(server.url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((str(address.hostname), int(address.port or 0)))
        client.setblocking(False)
        yield client


def _connections(server: Server) -> int:
    port = urlsplit(server.url).port
    return sum(
        one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port
        for one in server.process.net_connections("tcp")
    )


def _trailer(server: Server) -> str:
    """One person's request ends the connection in its trailer; the next person's status and time."""
    with (
        tempfile.TemporaryDirectory() as folder,
        proxy("haproxy", int(urlsplit(server.url).port or 0), Path(folder)) as port,
        socket.create_connection(("127.0.0.1", port)) as one,
    ):
        one.sendall(_TRAILER)
        one.recv(65536)
        began = time.perf_counter()
        status = httpx.get(f"http://127.0.0.1:{port}/livez", timeout=60, trust_env=False, verify=False).status_code
        return f"the next request is {status} after {(time.perf_counter() - began) * 1000:.0f} ms"
