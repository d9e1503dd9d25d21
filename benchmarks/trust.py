"""Time until a revoked session is rejected everywhere, and a soak test with good and hostile traffic."""

import asyncio
import itertools
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any, Final

import asyncpg
import httpx
import psutil
from attrs import define, field

from benchmarks.machine import memory_mib
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import SERVICE, World, fill, user, world
from tests.support.tokens import Issuer

WORKERS: Final = 4
SET: Final = {"Content-Type": "application/secevent+jwt"}
_NO_TLS: Final = ssl.create_default_context()


def revocation(events: int) -> dict[str, Any]:
    """Milliseconds from a 202 to the last worker's first 401."""
    with world() as made:
        migrate(made)
        with evo_todo(made, EVO_TODO_WORKERS=str(WORKERS)) as server:
            took = asyncio.run(_revoke(made, server, events))
    took.sort()
    return {
        "workers": WORKERS,
        "events": events,
        "p50": median(took) * 1000,
        "p99": quantiles(took, n=100)[98] * 1000,
        "max": took[-1] * 1000,
    }


async def _revoke(made: World, server: Server, events: int) -> list[float]:
    clients = await _one_for_each_worker(made, server)
    took = []
    for number in range(events):
        token = made.issuer.token("u1", sid=f"r{number}")
        ask = {"Authorization": f"Bearer {token}"}
        before = await asyncio.gather(*(client.get("/api/u1/tasks", headers=ask) for client in clients))
        if {response.status_code for response in before} != {200}:
            raise SystemExit("a valid token was rejected")
        event = made.issuer.security_event(user="u1", session=f"r{number}")
        response = await clients[number % len(clients)].post("/api/security-events", content=event, headers=SET)
        if response.status_code != httpx.codes.ACCEPTED:
            raise SystemExit(f"a security event was rejected: {response.text}")
        began = time.perf_counter()
        await asyncio.gather(*(_until_rejected(client, ask) for client in clients))
        took.append(time.perf_counter() - began)
    for client in clients:
        await client.aclose()
    return took


async def _until_rejected(client: httpx.AsyncClient, ask: dict[str, str]) -> None:
    while (await client.get("/api/u1/tasks", headers=ask)).status_code != httpx.codes.UNAUTHORIZED:
        await asyncio.sleep(0.002)


async def _one_for_each_worker(made: World, server: Server) -> list[httpx.AsyncClient]:
    """One client per worker, each with one connection: connections are opened until every worker has one."""
    found: dict[int, httpx.AsyncClient] = {}
    ask = {"Authorization": f"Bearer {made.token(1)}"}
    while len(found) < WORKERS:
        limits = httpx.Limits(max_connections=1, keepalive_expiry=600)
        client = httpx.AsyncClient(base_url=server.url, limits=limits, timeout=10, trust_env=False, verify=_NO_TLS)
        await client.get("/api/u1/tasks", headers=ask)
        pid = _worker_of(server, client)
        if pid in found:
            await client.aclose()
        else:
            found[pid] = client
    return list(found.values())


def _worker_of(server: Server, client: httpx.AsyncClient) -> int:
    """The worker at the other end of the client's one connection."""
    [connection] = client._transport._pool.connections  # type: ignore[attr-defined]  # noqa: SLF001  (httpx tells no address)
    stream = connection._connection._network_stream  # noqa: SLF001
    local = stream.get_extra_info("client_addr")
    for child in server.process.children(recursive=True):
        for seen in child.net_connections("tcp"):
            if tuple(seen.raddr[:2]) == tuple(local[:2]):
                return int(child.pid)
    raise SystemExit("no worker has the connection")


@define
class _Soak:
    """Counters of a soak test."""

    statuses: Counter[int] = field(factory=Counter)
    broken: Counter[str] = field(factory=Counter)
    kept: dict[str, str] = field(factory=dict)
    """The acknowledged tasks and their owners."""
    memory: list[list[float]] = field(factory=list)


def soak(minutes: float) -> dict[str, Any]:
    """Run good and hostile clients together, then check that every acknowledged write is stored."""
    with world() as made:
        migrate(made)
        fill(made)
        # The address limit is reached: hostile clients share an address. Some users exceed theirs.
        with evo_todo(made, EVO_TODO_WORKERS="2", EVO_TODO_RATE_LIMIT="3000/minute") as server:
            seen = asyncio.run(_run_soak(made, server, minutes * 60))
            missing = asyncio.run(_missing(made, seen.kept))
    return {
        "minutes": minutes,
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
        "broken": dict(seen.broken),
        "acknowledged": len(seen.kept),
        "missing": missing,
        "memory": seen.memory,
    }


async def _run_soak(made: World, server: Server, seconds: float) -> _Soak:
    seen, until = _Soak(), time.monotonic() + seconds
    good = [_good(made, server, seen, until, number) for number in range(12)]
    bad = [_hostile(made, server, seen, until, number) for number in range(12)]
    await asyncio.gather(*good, *bad, _cut_connections(made, until), _watch(server, seen, seconds))
    return seen


async def _watch(server: Server, seen: _Soak, seconds: float) -> None:
    for _ in range(11):
        children = [one for one in server.process.children(recursive=True) if one.memory_info().rss > 2**26]
        seen.memory.append([round(memory_mib(psutil.Process(one.pid)), 1) for one in children])
        await asyncio.sleep(seconds / 10)


async def _good(made: World, server: Server, seen: _Soak, until: float, number: int) -> None:
    chance, mine = random.Random(number), {"Authorization": f"Bearer {made.token(number)}"}
    path, ids = f"/api/{user(number)}/tasks", list[str]()
    async with httpx.AsyncClient(
        base_url=server.url, headers=mine, timeout=10, trust_env=False, verify=_NO_TLS
    ) as client:
        while time.monotonic() < until:
            what = chance.random()
            try:
                if what < 0.4 or not ids:
                    response = await client.post(path, json={"title": f"Task {len(ids)}"})
                    if response.status_code == httpx.codes.CREATED:
                        ids.append(response.json()["id"])
                        seen.kept[ids[-1]] = user(number)
                elif what < 0.6:
                    response = await client.get(f"{path}/{chance.choice(ids)}")
                elif what < 0.8:
                    response = await client.get(path, params={"limit": 20})
                else:
                    response = await client.patch(f"{path}/{chance.choice(ids)}/complete")
            except httpx.TransportError as error:
                seen.broken[type(error).__name__] += 1
                continue
            seen.statuses[response.status_code] += 1
            await asyncio.sleep(0.02)


async def _hostile(made: World, server: Server, seen: _Soak, until: float, number: int) -> None:
    forger = Issuer.new("bench", name=made.issuer_url, audience=made.issuer_url)
    path, mine = f"/api/{user(number)}/tasks", {"Authorization": f"Bearer {made.token(number + 100)}"}
    kinds: list[Callable[[int], tuple[str, str, dict[str, str], bytes]]] = [
        lambda n: ("GET", path, {"Authorization": f"Bearer {forger.token(user(n))}"}, b""),
        lambda n: ("GET", path, {"Authorization": f"Bearer {forger.token(user(n), header={'kid': str(n)})}"}, b""),
        lambda _: ("GET", path, {}, b""),
        lambda _: ("GET", path, mine, b""),
        lambda _: (
            "POST",
            f"/api/{user(number + 100)}/tasks",
            mine | {"Content-Type": "application/json"},
            b"[" * 60_000,
        ),
        lambda _: (
            "POST",
            f"/api/{user(number + 100)}/tasks",
            mine | {"Content-Type": "application/json"},
            b"x" * 70_000,
        ),
        lambda _: ("GET", f"/api/{user(number + 100)}/tasks?cursor=%00&q=" + "x" * 300, mine, b""),
        lambda n: ("GET", f"/api/{user(number + 100)}/tasks/{'9' * (n % 400 + 1)}", mine, b""),
        lambda _: ("POST", "/api/security-events", SET, b"a.b.c"),
        lambda n: ("POST", "/api/security-events", SET, forger.security_event(session=str(n)).encode()),
    ]
    attacks = itertools.cycle(kinds)
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False, verify=_NO_TLS) as client:
        for count in itertools.count():
            if time.monotonic() > until:
                return
            method, where, headers, body = next(attacks)(count)
            try:
                response = await client.request(method, where, headers=headers, content=body)
                seen.statuses[response.status_code] += 1
            except httpx.TransportError as error:
                seen.broken[type(error).__name__] += 1
            await asyncio.sleep(0.02)


async def _cut_connections(made: World, until: float) -> None:
    """Every 30 seconds the database closes all of the service's connections."""
    while time.monotonic() < until - 30:
        await asyncio.sleep(30)
        await made.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{SERVICE}'")


async def _missing(made: World, kept: dict[str, str]) -> int:
    """The number of acknowledged tasks that are not stored, or stored for another owner."""
    connection = await asyncpg.connect(f"{made.server.url.rpartition('/')[0]}/bench")
    rows = await connection.fetch("SELECT id::text, owner_id FROM tasks")
    await connection.close()
    there = {row["id"]: row["owner_id"] for row in rows}
    return sum(there.get(task) != owner for task, owner in kept.items())
