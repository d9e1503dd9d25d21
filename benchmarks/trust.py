"""Time until a revoked session is rejected everywhere."""

import asyncio
import ssl
import time
from statistics import median, quantiles
from typing import Any, Final

import httpx

from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, world

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
