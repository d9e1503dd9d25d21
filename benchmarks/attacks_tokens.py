"""A flood of forged tokens that bear the public key ID: what it does to revocations and to other people's tokens."""

import asyncio
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import get_context
from statistics import quantiles
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field

from benchmarks.forged_tokens import flood
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, fill, user, world
from tests.support.tokens import Issuer

CONNECTIONS: Final = 2000
FORGED: Final = 5000
"""Distinct forged tokens; the service remembers none of them."""
PUSHES: Final = 6
"""Security events during a flood, one after the other."""
PAUSE: Final = 0.05
"""Seconds between two people who arrive with a new token."""
OURS: Final = "127.0.0.2"
"""The client address of those people and of the issuer; a flood from one address comes from 127.0.0.1."""
SECURITY_EVENT: Final = "application/secevent+jwt"


@define
class Seen:
    """What others than the flood saw; times are in seconds."""

    pushes: list[tuple[int, float]] = field(factory=list)
    """The status of a security event, and the time until a token of the revoked session was refused."""
    arrivals: list[tuple[int, float]] = field(factory=list)
    """The status of a request with a new token, and the time that it took."""


def attack(seconds: float = 12.0) -> dict[str, str]:
    """Flood the service from one address and from 2000; a table row for each, by what was measured."""
    with world() as made:
        migrate(made)
        fill(made)
        rows = {}
        for name, addresses in (("from one address", 1), (f"from {CONNECTIONS} addresses", CONNECTIONS)):
            with evo_todo(made) as server:
                seen, statuses = _beside(made, server, addresses, seconds)
            rows[f"{CONNECTIONS} connections of forged tokens {name}"] = _row(seen, statuses, seconds)
        return rows


def _beside(made: World, server: Server, addresses: int, seconds: float) -> tuple[Seen, Counter[int]]:
    forger = Issuer.new("bench", name=made.issuer_url, audience=made.issuer_url)
    requests = [_request(f"/api/{user(n)}/tasks", forger.token(user(n), jti=str(n))) for n in range(FORGED)]
    with _flooding(server, requests, addresses, seconds) as statuses:
        seen = asyncio.run(_observe(made, server, seconds))
    return seen, statuses


def _row(seen: Seen, statuses: Counter[int], seconds: float) -> str:
    pushed = Counter(status for status, _ in seen.pushes)
    arrived = Counter(status for status, _ in seen.arrivals)
    times = sorted(took for _, took in seen.arrivals)
    return (
        f"revocations {dict(pushed)}, effective within {max(took for _, took in seen.pushes):.2f} s; "
        f"others' new tokens {dict(arrived)}, 99 % within {quantiles(times, n=100)[98]:.2f} s; "
        f"the flood a second: { {status: round(count / seconds) for status, count in sorted(statuses.items())} }"
    )


@contextmanager
def _flooding(server: Server, requests: list[bytes], addresses: int, seconds: float) -> Generator[Counter[int]]:
    """Run the flood in a process of its own; its statuses are complete afterwards."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    address = urlsplit(server.url)
    arguments = (str(address.hostname), int(address.port or 0), requests, CONNECTIONS, addresses, seconds + 2, sender)
    process = context.Process(target=flood, args=arguments)
    process.start()
    statuses: Counter[int] = Counter()
    receiver.recv()  # all connections are open
    time.sleep(1)  # the flood reaches its full rate before anything is measured
    try:
        yield statuses
    finally:
        statuses.update(receiver.recv())
        process.join()


async def _observe(made: World, server: Server, seconds: float) -> Seen:
    seen, until = Seen(), time.perf_counter() + seconds
    await asyncio.gather(_push(made, server, seen, until), _arrive(made, server, seen, until))
    return seen


async def _push(made: World, server: Server, seen: Seen, until: float) -> None:
    """Revoke sessions whose tokens are in use."""
    for number in range(PUSHES):
        token = made.issuer.token(user(number), sid=f"stolen-{number}")
        path = f"/api/{user(number)}/tasks?limit=1"
        await ask(server, _request(path, token))
        began = time.perf_counter()
        event = made.issuer.security_event(user=user(number), session=f"stolen-{number}").encode()
        head = f"POST /api/security-events HTTP/1.1\r\nHost: x\r\nContent-Type: {SECURITY_EVENT}\r\n"
        status = await ask(server, f"{head}Content-Length: {len(event)}\r\n\r\n".encode() + event)
        while await ask(server, _request(path, token)) != 401 and time.perf_counter() < until:
            await asyncio.sleep(0.02)
        seen.pushes.append((status, time.perf_counter() - began))


async def _arrive(made: World, server: Server, seen: Seen, until: float) -> None:
    """People with tokens that the service has not seen yet, each on a connection of their own."""
    waiting: list[asyncio.Task[None]] = []

    async def one(number: int) -> None:
        began = time.perf_counter()
        token = made.issuer.token(user(number), sid=f"new-{number}")
        status = await ask(server, _request(f"/api/{user(number)}/tasks?limit=1", token))
        seen.arrivals.append((status, time.perf_counter() - began))

    for number in range(100, 2000):
        if time.perf_counter() > until:
            break
        waiting.append(asyncio.create_task(one(number)))
        await asyncio.sleep(PAUSE)
    await asyncio.gather(*waiting)


async def ask(server: Server, request: bytes) -> int:
    """Send a request from OURS on a new connection, and return its status; 0: there was no response."""
    address = urlsplit(server.url)
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(address.hostname, address.port, local_addr=(OURS, 0))
            writer.write(request)
            line = await reader.readline()
    except (OSError, TimeoutError):
        return 0
    writer.close()
    return int(line.split()[1]) if line else 0


def _request(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def main() -> None:
    """Run this attack alone."""
    rows: dict[str, Any] = attack()
    for name, row in rows.items():
        print(f"{name}: {row}")  # noqa: T201


if __name__ == "__main__":
    main()
