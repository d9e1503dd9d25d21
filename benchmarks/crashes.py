"""Workers and database connections killed under writes that event streams follow: what is lost or doubled."""

import asyncio
import random
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg
import httpx
import psutil
from attrs import define, field

from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import SERVICE, World, world
from evo_todo_client import ApiProblem, AsyncClient, Task, Unreachable
from tests.support.list_clients import Follower, Reader, Writer, all_tasks, client_of, lost

READERS: Final = 8
FOLLOWERS: Final = 2
"""Readers that use the Python client's watch."""
WRITERS: Final = 4
WORKERS: Final = 3
WRITES: Final = 30
"""Acknowledged between two kills."""
SETTLE: Final = 60.0
"""Seconds within which every reader must have the true list."""
FAULTS: Final = (
    "lost writes",
    "doubled events",
    "ids that do not rise",
    "readers with another list",
    "readers that failed",
)
_NO_TLS: Final = ssl.create_default_context()
_CUT: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 ORDER BY random() LIMIT 1
"""


def crashes(rounds: int, minutes: float) -> dict[str, Any]:
    """Run so many rounds, or as many as the minutes allow; in each, one worker or one database connection is killed."""
    with world() as made:
        migrate(made)
        with evo_todo(made, EVO_TODO_WORKERS=f"{WORKERS}", EVO_TODO_ADDRESS_RATE_LIMIT="off") as server:
            return asyncio.run(_run(made, server, rounds, time.monotonic() + minutes * 60))


@define
class Killer:
    """Kills workers with SIGKILL, and database connections of the service."""

    server: Server
    administrator: Any
    workers: int = field(init=False, default=0)
    connections: int = field(init=False, default=0)

    async def kill(self) -> None:
        """Kill one of either; a worker that has been started again may still be starting."""
        running = self._running()
        if running and random.random() < 0.5:
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                random.choice(running).kill()
                self.workers += 1
        else:
            self.connections += len(await self.administrator.fetch(_CUT, SERVICE))

    def _running(self) -> list[psutil.Process]:
        running = list[psutil.Process]()
        for child in self.server.process.children():
            with suppress(psutil.NoSuchProcess):  # a zombie, until its supervisor has noticed
                if "--multiprocessing-fork" in child.cmdline():
                    running.append(child)
        return running


async def _run(made: World, server: Server, rounds: int, until: float) -> dict[str, Any]:
    now = int(made.issuer.now())
    token = made.issuer.token("alice", iat=now, exp=now + 6 * 86400, sid="s")
    administrator = await asyncpg.connect(made.administration)
    # Each request on a connection of its own: any worker may get it.
    async with httpx.AsyncClient(
        base_url=server.url,
        headers={"Authorization": f"Bearer {token}"},
        limits=httpx.Limits(max_keepalive_connections=0),
        timeout=SETTLE,
        trust_env=False,
        verify=_NO_TLS,
    ) as http:
        client = client_of(http, token)
        readers, writers = [Reader(http) for _ in range(READERS)], [Writer(client) for _ in range(WRITERS)]
        copies: list[Reader | Follower] = [*readers, *(Follower(client) for _ in range(FOLLOWERS))]
        reading = [asyncio.create_task(one.run()) for one in copies]
        while not all(reader.streams for reader in readers):
            await asyncio.sleep(0.05)
        writing = [asyncio.create_task(writer.run()) for writer in writers]
        killer, done = Killer(server, administrator), 0
        while done < rounds and time.monotonic() < until:
            goal = sum(writer.done for writer in writers) + WRITES
            async with asyncio.timeout(SETTLE):
                while sum(writer.done for writer in writers) < goal:
                    await asyncio.sleep(0.01)
            await killer.kill()
            done += 1
        await _end(writing)
        truth = await _settled(client, copies)
        failed = sum(task.done() for task in reading)
        await _end(reading)
    await administrator.close()
    return {
        "rounds": done,
        "killed workers": killer.workers,
        "killed database connections": killer.connections,
        "acknowledged writes": sum(writer.done for writer in writers),
        "streams": sum(reader.streams for reader in readers),
        "events": sum(reader.events for reader in readers),
        "lost writes": lost(writers, truth),
        "doubled events": sum(reader.doubled for reader in readers),
        "ids that do not rise": sum(reader.disordered for reader in readers),
        "readers with another list": sum(one.copy != truth for one in copies),
        "readers that failed": failed,
    }


async def _end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _settled(client: AsyncClient, copies: Sequence[Reader | Follower]) -> dict[str, Task]:
    """The list, once every reader has it or the time is up."""
    until, truth = time.monotonic() + SETTLE, dict[str, Task]()
    while time.monotonic() < until:
        with suppress(Unreachable, ApiProblem):
            truth = await all_tasks(client)
            if all(one.copy == truth for one in copies):
                break
        await asyncio.sleep(0.2)
    return truth
