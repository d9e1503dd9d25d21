"""Throughput and latency of good requests beside floods of bad ones."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
from attrs import asdict

from benchmarks import load
from benchmarks.compare import expect_all_fine
from benchmarks.load import BODY, Load, Request, finished, requests_for
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, fill, user, world
from tests.support.tokens import Issuer

CONNECTIONS: Final = 100
"""Of a flood."""
IDLE: Final = 10_000
SLOW: Final = 200
LIGHT: Final = 60.0
"""Milliseconds of pause between the requests of each good connection: some 500 requests a second."""

Flood = Callable[[], AbstractContextManager[Any]]


def floods(seconds: float, rounds: int) -> dict[str, Any]:
    """Measure good requests alternately alone and beside a flood, for each flood and each load."""
    with world() as made:
        migrate(made)
        fill(made)
        good = Load.of(requests_for("get", made))
        with evo_todo(made, EVO_TODO_ADDRESS_RATE_LIMIT="off") as server:
            good.run(server, 3)
            half = 2000 * load.CONNECTIONS / median(good.run(server, seconds).per_second for _ in range(3))
            forged = _bad(made, Issuer.new("bench", name=made.issuer_url, audience=made.issuer_url))
            unknown = _bad(made, None)
            kinds: dict[str, Flood] = {
                "1000 bad signatures a second": lambda: _flood(forged, server, seconds),
                "1000 unknown keys a second": lambda: _flood(unknown, server, seconds),
                f"{IDLE} idle connections": lambda: _idle(server),
                f"{SLOW} slow bodies": lambda: _slow(server, made),
            }
            loads = {"saturated": 0.0, "half of that": half, "light": LIGHT}
            return {
                kind: {name: _alternate(good, server, flood, seconds, rounds, think) for name, think in loads.items()}
                for kind, flood in kinds.items()
            }


def summary(found: dict[str, Any]) -> str:
    """A table of the good requests: the median of the rounds, the minimum and the maximum."""
    lines = ["| beside | load | good requests | half within | 99 % within |", "|---|---|---|---|---|"]
    for kind, loads in found.items():
        for name, rounds in loads.items():
            pairs = list(zip(rounds["alone"], rounds["beside"], strict=True))
            share = [beside["per_second"] / alone["per_second"] for alone, beside in pairs]
            cells = [f"{median(share):.2f} ({min(share):.2f}-{max(share):.2f}) times"]
            for quantile in ("p50", "p99"):
                factors = [beside[quantile] / alone[quantile] for alone, beside in pairs]
                before = median(alone[quantile] for alone, _ in pairs) * 1000
                after = median(beside[quantile] for _, beside in pairs) * 1000
                spread = f"{median(factors):.1f} ({min(factors):.1f}-{max(factors):.1f}) times"
                cells.append(f"{before:.1f}, then {after:.1f} ms: {spread}")
            lines.append(f"| {kind} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _alternate(
    good: Load, server: Server, flood: Flood, seconds: float, rounds: int, think: float
) -> dict[str, list[dict[str, Any]]]:
    """Alternate between alone and beside the flood: on a shared machine, only consecutive runs are comparable."""
    found: dict[str, list[dict[str, Any]]] = {"alone": [], "beside": []}
    for _ in range(rounds):
        for name, context in (("alone", contextlib.nullcontext), ("beside", flood)):
            with context():
                result = good.run(server, seconds, think=think)
            expect_all_fine(server, name, result)
            found[name].append(asdict(result))
    return found


def _bad(made: World, forger: Issuer | None) -> Load:
    """Distinct tokens with invalid signatures; without a forger, distinct tokens with unknown keys."""
    now = int(made.issuer.now())
    stranger = Issuer.new("unknown", name=made.issuer_url, audience=made.issuer_url)
    tokens = []
    for number in range(5000):
        signer = forger or stranger
        header = {} if forger else {"kid": f"unknown-{number}"}
        tokens.append(signer.token(user(number), header=header, iat=now, exp=now + 3600, jti=str(number)))
    return Load.of(Request("GET", f"/api/{user(number)}/tasks", token) for number, token in enumerate(tokens))


@contextmanager
def _flood(bad: Load, server: Server, seconds: float) -> Generator[None]:
    # 1000 a second: each connection pauses a tenth of a second between requests.
    process = bad.start(server.url, seconds + 2, connections=CONNECTIONS, think=CONNECTIONS)
    while process.poll() is None and len(psutil.Process(process.pid).net_connections()) < CONNECTIONS:
        time.sleep(0.05)  # the poll interval while another process starts
    if process.poll() is not None:
        raise SystemExit("the flood ended before all of its connections were open")
    try:
        yield
    finally:
        finished(process)


@contextmanager
def _idle(server: Server) -> Generator[int]:
    """Idle connections."""
    address = urlsplit(server.url)
    opened: list[socket.socket] = []
    with contextlib.suppress(OSError):  # as many as this machine allows one process
        while len(opened) < IDLE:
            opened.append(socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5))
    try:
        yield len(opened)
    finally:
        for one in opened:
            one.close()


@contextmanager
def _slow(server: Server, made: World) -> Generator[None]:
    """Request bodies that arrive one byte at a time."""
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
