"""What good requests still get while others do their worst."""

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import asdict

from benchmarks.compare import expect_all_fine
from benchmarks.load import BODY, Load, Request, finished, requests_for
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, fill, user, world
from tests.tokens import Issuer

CONNECTIONS: Final = 100
"""Of an attacker."""
IDLE: Final = 10_000
SLOW: Final = 200


def floods(seconds: float) -> dict[str, Any]:
    """Measure good requests alone and with each flood beside them."""
    with world() as made:
        migrate(made)
        fill(made)
        good = Load.of(requests_for("get", made))
        with evo_todo(made, EVO_TODO_ADDRESS_RATE_LIMIT="off") as server:
            good.run(server, 3)
            found = {"alone": asdict(good.run(server, seconds)), **_below_saturation("alone", good, server, seconds)}
            forged = _bad(made, Issuer.new("bench", name=made.issuer_url, audience=made.issuer_url))
            for name, load in (("bad signatures", forged), ("unknown keys", _bad(made, None))):
                # 1000 a second: each of the connections waits a tenth of a second between two requests.
                with _flood(load, server, seconds * 3 + 6, think=CONNECTIONS):
                    found[name] = asdict(good.run(server, seconds))
                    found |= _below_saturation(name, good, server, seconds)
            with _idle(server) as opened:
                found[f"{opened} idle connections"] = asdict(good.run(server, seconds))
            with _slow(server, made):
                found[f"{SLOW} slow bodies"] = asdict(good.run(server, seconds))
        return found


def _below_saturation(beside: str, good: Load, server: Server, seconds: float) -> dict[str, Any]:
    """Good requests that leave the server some of its time, and most of it."""
    found = {}
    for name, think in (("medium load", 20), ("light load", 60)):
        result = good.run(server, seconds, think=think)
        expect_all_fine(server, name, result)
        found[f"{beside}, {name}"] = asdict(result)
    return found


def _bad(made: World, forger: Issuer | None) -> Load:
    """Tokens that no key verifies, each another one; without a forger, of keys that nobody has."""
    now = int(made.issuer.now())
    stranger = Issuer.new("unknown", name=made.issuer_url, audience=made.issuer_url)
    tokens = []
    for number in range(5000):
        signer = forger or stranger
        header = {} if forger else {"kid": f"unknown-{number}"}
        tokens.append(signer.token(user(number), header=header, iat=now, exp=now + 3600, jti=str(number)))
    return Load.of(Request("GET", f"/api/{user(number)}/tasks", token) for number, token in enumerate(tokens))


@contextmanager
def _flood(load: Load, server: Server, seconds: float, *, think: float) -> Generator[None]:
    process = load.start(server.url, seconds, connections=CONNECTIONS, think=think)
    try:
        yield
    finally:
        finished(process)


@contextmanager
def _idle(server: Server) -> Generator[int]:
    """Connections on which nothing is said."""
    address = urlsplit(server.url)
    opened: list[socket.socket] = []
    with contextlib.suppress(OSError):  # as many as this machine lets one process have
        while len(opened) < IDLE:
            opened.append(socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5))
    try:
        yield len(opened)
    finally:
        for one in opened:
            one.close()


@contextmanager
def _slow(server: Server, made: World) -> Generator[None]:
    """Bodies that come a byte at a time."""
    address, stop = urlsplit(server.url), threading.Event()
    head = (
        f"POST /api/{user(1)}/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made.token(1)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    clients = [socket.create_connection((str(address.hostname), int(address.port or 0))) for _ in range(SLOW)]

    def drip() -> None:
        for client in clients:
            client.sendall(head.encode())
        for letter in BODY[:-1].encode():
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(bytes([letter]))
            if stop.wait(0.5):
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for client in clients:
            client.close()
