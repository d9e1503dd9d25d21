"""A soak test: people who use their lists, hostile traffic of all kinds, and a database that cuts its connections."""

import asyncio
import itertools
import random
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import httpx
import psutil

from benchmarks.attacks_search import fill_with_long_texts
from benchmarks.machine import memory_mib
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.soak_attacks import Soak, attacks
from benchmarks.world import SERVICE, World, fill, user, world
from evo_todo_client import ApiProblem, AsyncClient, Unreachable
from tests.support.tokens import Issuer

SET: Final = {"Content-Type": "application/secevent+jwt"}
_NO_TLS: Final = ssl.create_default_context()


def soak(minutes: float) -> dict[str, Any]:
    """Run good and hostile clients together, then check that every acknowledged write is stored."""
    with world() as made:
        migrate(made)
        fill(made)
        fill_with_long_texts(made)
        # The address limit is reached: hostile clients share an address. Some users exceed theirs.
        with evo_todo(made, EVO_TODO_WORKERS="2", EVO_TODO_RATE_LIMIT="3000/minute") as server:
            seen = asyncio.run(_run_soak(made, server, minutes * 60))
            missing, left = asyncio.run(_missing(made, seen))
    return {
        "minutes": minutes,
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
        "broken": dict(seen.broken),
        "attacks": dict(sorted(seen.attacks.items())),
        "acknowledged": len(seen.kept),
        "missing": missing,
        "purged accounts": len(seen.purged),
        "tasks left in them": left,
        "revocations in seconds": [round(took, 2) for took in (min(seen.revoked), max(seen.revoked))],
        "memory": seen.memory,
    }


async def _run_soak(made: World, server: Server, seconds: float) -> Soak:
    seen, until = Soak(), time.monotonic() + seconds
    good = [_good(made, server, seen, until, number) for number in range(12)]
    bad = [_hostile(made, server, seen, until, number) for number in range(12)]
    more = attacks(made, server, seen, until)
    await asyncio.gather(*good, *bad, *more, _cut_connections(made, until), _watch(server, seen, seconds))
    return seen


async def _watch(server: Server, seen: Soak, seconds: float) -> None:
    for _ in range(11):
        children = [one for one in server.process.children(recursive=True) if one.memory_info().rss > 2**26]
        seen.memory.append([round(memory_mib(psutil.Process(one.pid)), 1) for one in children])
        await asyncio.sleep(seconds / 10)


async def _good(made: World, server: Server, seen: Soak, until: float, number: int) -> None:
    """A user of the Python client, which repeats reads and creates."""
    mine, ids = user(number), list[str]()

    async def fetch_token() -> str:
        return made.token(number)

    async def count(response: httpx.Response) -> None:
        seen.statuses[response.status_code] += 1

    async with httpx.AsyncClient(
        timeout=10, trust_env=False, verify=_NO_TLS, event_hooks={"response": [count]}
    ) as http:
        client = AsyncClient(f"{server.url}/api", fetch_token, http=http)
        while time.monotonic() < until:
            try:
                await _use(client, mine, ids, seen, random.random())
            except Unreachable as error:
                seen.broken[type(error.__cause__).__name__] += 1
            except ApiProblem:
                pass  # counted above
            await asyncio.sleep(0.02)


async def _use(client: AsyncClient, mine: str, ids: list[str], seen: Soak, what: float) -> None:
    if what < 0.4 or not ids:
        ids.append((await client.create_task(mine, f"Task {len(ids)}")).id)
        seen.kept[ids[-1]] = mine
    elif what < 0.6:
        await client.get_task(mine, random.choice(ids))
    elif what < 0.75:
        await anext(client.changes(mine))
    elif what < 0.8:
        await client.list_tasks(mine)
    else:
        await client.set_completed(mine, random.choice(ids), what < 0.9)


async def _hostile(made: World, server: Server, seen: Soak, until: float, number: int) -> None:
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


async def _missing(made: World, seen: Soak) -> tuple[int, int]:
    """The number of acknowledged tasks that are not stored for their owner, and of stored tasks of purged accounts."""
    connection = await asyncpg.connect(made.administration)
    rows = await connection.fetch("SELECT id::text, owner_id FROM tasks")
    await connection.close()
    there = {row["id"]: row["owner_id"] for row in rows}
    purged = set(seen.purged)
    return (
        sum(there.get(task) != owner for task, owner in seen.kept.items()),
        sum(owner in purged for owner in there.values()),
    )
