"""One user searches long texts for what nearly matches everywhere, eight times a second; another reads one task."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import httpx

from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, fill, task_id, user, world

TASKS: Final = 8000
PER_SECOND: Final = 8
READS_PER_SECOND: Final = 10
WORDS: Final = {"a x 254, b": "a" * 254 + "b", "b, a x 254": "b" + "a" * 254}

_LONG_TASKS: Final = """
INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
SELECT 'attacker', md5('attacker-' || n)::uuid, 'x', repeat('a', 2000), false, now(), now(), n,
       'x' || chr(10) || repeat('a', 2000)
FROM generate_series(1, $1::int) n;
"""
# By how long they take: what tells a search from another read is beyond the part of a statement that the server keeps.
_OF_SEARCHES: Final = """
FROM pg_stat_activity
WHERE state = 'active' AND query LIKE 'WITH me %' AND now() - query_start > interval '20 ms'
  AND pid <> pg_backend_pid();
"""
_SEARCHES: Final = f"SELECT count(*), coalesce(extract(epoch FROM max(now() - query_start)), 0)::float8 {_OF_SEARCHES}"
_END_SEARCHES: Final = f"SELECT pg_terminate_backend(pid) {_OF_SEARCHES}"


def attack(seconds: float = 30) -> dict[str, str]:
    """Search for `seconds` with each of WORDS, and describe what happens in PostgreSQL and to the other user."""
    with world() as made:
        migrate(made)
        fill(made)
        fill_with_long_texts(made)
        found: dict[str, str] = {}
        for name, words in WORDS.items():
            with evo_todo(made) as server:
                found[name] = asyncio.run(_beside(made, server, words, seconds))
            asyncio.run(made.execute(_END_SEARCHES))  # for the next to begin with an idle server
        return found


def fill_with_long_texts(made: World) -> None:
    """A list of the user `attacker` whose texts nearly match WORDS everywhere."""
    asyncio.run(made.execute(_LONG_TASKS, TASKS))
    asyncio.run(made.execute("ANALYZE tasks"))


async def _beside(made: World, server: Server, words: str, seconds: float) -> str:
    now = int(made.issuer.now())
    attacker = made.issuer.token("attacker", iat=now, exp=now + 3600, sid="s-attacker")
    searches, reads = Counter[str](), Counter[str]()
    times: list[float] = []
    busy: list[tuple[int, float]] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:

        async def search() -> None:
            answer = await _get(client, "/api/attacker/tasks", attacker, q=words, limit="1")
            searches[answer] += 1

        async def read() -> None:
            started = time.perf_counter()
            reads[await _get(client, f"/api/{user(1)}/tasks/{task_id(1, 1)}", made.token(1))] += 1
            times.append(time.perf_counter() - started)

        async def look() -> None:
            busy.append(await _running(made))

        until = time.monotonic() + seconds
        await asyncio.gather(
            _at_rate(search, PER_SECOND, until), _at_rate(read, READS_PER_SECOND, until), _at_rate(look, 2, until)
        )
    left = (await _running(made))[0]
    times.sort()
    return (
        f"searches {_shares(searches)}; at most {max(count for count, _ in busy)} backends busy, the oldest"
        f" {max(age for _, age in busy):.1f} s, {left} after the last answer; reads of the other user {_shares(reads)},"
        f" p99 {times[math.ceil(len(times) * 0.99) - 1] * 1000:.0f} ms"
    )


async def _at_rate(act: Callable[[], Awaitable[None]], per_second: float, until: float) -> None:
    """Begin so many a second, whether or not those before have ended."""
    async with asyncio.TaskGroup() as tasks:
        while time.monotonic() < until:
            tasks.create_task(_run(act))
            await asyncio.sleep(1 / per_second)


async def _run(act: Callable[[], Awaitable[None]]) -> None:
    await act()


async def _get(client: httpx.AsyncClient, path: str, token: str, **query: str) -> str:
    try:
        answer = await client.get(path, params=query, headers={"Authorization": f"Bearer {token}"})
    except httpx.TransportError as error:
        return type(error).__name__
    return str(answer.status_code)


async def _running(made: World) -> tuple[int, float]:
    """How many searches run in PostgreSQL, and for how many seconds the oldest does."""
    try:
        connection: Any = await asyncpg.connect(made.administration)
    except asyncpg.TooManyConnectionsError:
        return 100, 0.0
    try:
        count, oldest = await connection.fetchrow(_SEARCHES)
        return int(count), float(oldest)
    finally:
        await connection.close()


def _shares(counts: Counter[str]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
