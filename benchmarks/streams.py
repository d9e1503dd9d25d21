"""Event streams: thousands that are idle, the time from a change to its clients, slow readers, and all coming back."""

import asyncio
import json
import random
import resource
import socket
from collections import Counter
from contextlib import ExitStack
from statistics import median, quantiles
from typing import Any, Final

import click
import uvloop
from attrs import frozen

from benchmarks.compare import expect_all_fine
from benchmarks.load import Load, Request
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.stream_clients import Clients, StreamClient, Writer, address, unsent
from benchmarks.world import TASKS_EACH, USERS, World, fill, task_id, user, world

SPARE: Final = 1000
"""Open files that are not streams."""
FEW: Final = 1000
HEARTBEAT: Final = 15.0
"""Seconds between two reads of an idle stream's list."""
WRITES: Final = 300
LISTS: Final = 100
"""Lists that are written to."""
PAUSE: Final = 0.01  # seconds between two writes
SLOW: Final = 200
LONG: Final = json.dumps({"title": "Buy milk", "description": "x" * 2000})
GOALS: Final = {
    "memory of an idle stream, KiB": "≤ 15",
    "gets beside idle streams": "≥ 0.97",
    "unchanged poll, CPU time of a get": "≤ 1",
    "slow reader, process, KiB": "",
    "slow reader, process and kernel, KiB": "≤ 64",
    "reconnect, s": "≤ 10",
    "reconnect, peak of a second by mean": "≤ 2",
}
_DELAY_GOALS: Final = {"at 1000": "p50 ≤ 6, p99 ≤ 25", "at 10000": "p99 ≤ 50"}


def streams(count: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure so many streams of one worker, or as many as this process may open files for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # also for the servers
    count = min(count, most - SPARE)
    limits = {"EVO_TODO_ADDRESS_RATE_LIMIT": "off", "EVO_TODO_STREAMS_PER_USER": "1000"}
    limits["EVO_TODO_MAX_STREAMS"] = f"{max(count, USERS) + SPARE}"
    with world() as made:
        migrate(made)
        fill(made)
        with evo_todo(made, "the other worker", **limits) as other, ExitStack() as stack:
            server = stack.enter_context(evo_todo(made, "the worker", **limits))
            return uvloop.run(_Measurement.of(made, server, other, stack).run(count, rounds, seconds))


def table(found: dict[str, Any]) -> str:
    """A table of what was measured, beside its goals."""
    lines = [f"| {found['streams']} streams on one worker | goal | measured |", "|---|---|---|"]
    for name, value in found.items():
        if name.startswith("change to client, ms, "):
            goal = _DELAY_GOALS.get(name.removeprefix("change to client, ms, "), "")
            lines.append(f"| {name} | {goal} | {', '.join(f'{key} {ms}' for key, ms in value.items())} |")
        elif name in GOALS:
            lines.append(f"| {name} | {GOALS[name]} | {value} |")
    return "\n".join(lines)


@frozen
class _Measurement:
    tokens: list[str]
    server: Server
    other: Server
    running: ExitStack
    """Ends the server when it is closed."""
    gets: Load

    @classmethod
    def of(cls, made: World, server: Server, other: Server, running: ExitStack) -> "_Measurement":
        tokens = [made.token(number) for number in range(USERS)]
        chosen = [(random.randrange(USERS), random.randrange(TASKS_EACH)) for _ in range(20_000)]
        gets = [Request("GET", f"/api/{user(who)}/tasks/{task_id(who, task)}", tokens[who]) for who, task in chosen]
        return cls(tokens, server, other, running, Load.of(gets))

    async def run(self, count: int, rounds: int, seconds: float) -> dict[str, Any]:
        await self._rate(self.gets, 3)
        found: dict[str, Any] = {"streams": count}
        before, clients = self._memory(self.server), await Clients.of(self.tokens, self.server, count)
        await asyncio.sleep(HEARTBEAT)
        found["memory of an idle stream, KiB"] = round((self._memory(self.server) - before) / count / 1024, 1)
        found |= await self._delays(clients)
        beside = [(await self._rate(self.gets, seconds))[0]]
        await clients.close()
        alone = [(await self._rate(self.gets, seconds))[0]]
        found |= await self._slow_readers()
        few = await Clients.of(self.tokens, self.server, min(FEW, count))
        found |= await self._delays(few)
        await few.close()
        found |= await self._polls(rounds)
        for number in range(1, rounds):
            alone.append((await self._rate(self.gets, seconds))[0])
            clients = await Clients.of(self.tokens, self.server, count)
            await asyncio.sleep(HEARTBEAT)
            beside.append((await self._rate(self.gets, seconds))[0])
            if number < rounds - 1:
                await clients.close()
        ratios = [one / other for one, other in zip(beside, alone, strict=True)]
        found["gets beside idle streams"] = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        click.echo(json.dumps(found), err=True)
        return found | await self._reconnect(clients)

    async def _rate(self, load: Load, seconds: float) -> tuple[float, float]:
        """Requests a second and CPU seconds of one."""
        result = await asyncio.to_thread(load.run, self.server, seconds)
        expect_all_fine(self.server, "beside streams", result)
        click.echo(f"{result.per_second:.0f} requests a second", err=True)
        return result.per_second, result.cpu_per_request

    def _memory(self, server: Server) -> int:
        return int(server.workers[0].memory_info().rss)

    async def _delays(self, clients: Clients) -> dict[str, Any]:
        name = f"change to client, ms, at {len(clients.clients)}"
        return {
            name: await self._delay(clients, self.server),
            f"{name}, written by another worker": await self._delay(clients, self.other),
        }

    async def _delay(self, clients: Clients, server: Server) -> dict[str, float]:
        """From sending a create until its event, in milliseconds."""
        writer = await Writer.of(self.tokens, server)
        by_owner: dict[int, list[StreamClient]] = {}
        for client in clients.clients:
            by_owner.setdefault(client.owner, []).append(client)
        owners = random.sample([*by_owner], min(LISTS, len(by_owner)))
        delays, creates = list[float](), list[float]()
        for number in range(-len(owners), WRITES):  # at first each token is new
            owner = owners[number % len(owners)]
            changes = [asyncio.ensure_future(client.next_change()) for client in by_owner[owner]]
            await asyncio.sleep(PAUSE)
            sent, came = await writer.create(owner)
            arrived = await asyncio.gather(*changes)
            if number >= 0:
                delays += [one - sent for one in arrived]
                creates.append(came - sent)
        return {
            "p50": round(median(delays) * 1000, 1),
            "p99": round(quantiles(delays, n=100)[98] * 1000, 1),
            "p50 of the create alone": round(median(creates) * 1000, 1),
        }

    async def _polls(self, rounds: int) -> dict[str, Any]:
        """An unchanged poll beside a get, by turns."""
        clients = await Clients.of(self.tokens, self.server, USERS)
        paths = [(f"/api/{user(one.owner)}/tasks/changes?since={one.last_id}", one.token) for one in clients.clients]
        await clients.close()
        polls, ratios = Load.of(Request("GET", path, token) for path, token in paths), list[float]()
        for _ in range(rounds):
            (_, poll), (_, get) = await self._rate(polls, 4), await self._rate(self.gets, 4)
            ratios.append(poll / get)
        return {"unchanged poll, CPU time of a get": round(median(ratios), 2)}

    async def _slow_readers(self) -> dict[str, Any]:
        """What unread streams hold, on the worker whose heap has no room left by closed ones."""
        writer, place = await Writer.of(self.tokens, self.other), address(self.other)
        slow = [socket.create_connection(place) for _ in range(SLOW)]
        for one in slow:
            one.sendall(StreamClient(0, self.tokens[0]).request())
            await asyncio.sleep(PAUSE)
        for _ in range(WRITES):  # so that only the readers make the difference
            await writer.create(1, LONG)
        before = self._memory(self.other)
        for _ in range(WRITES):
            await writer.create(0, LONG)
        held, kernel = self._memory(self.other) - before, unsent(place[1])
        for one in slow:
            one.close()
        return {
            "slow reader, process, KiB": round(held / SLOW / 1024, 1),
            "slow reader, process and kernel, KiB": round((held + kernel) / SLOW / 1024, 1),
        }

    async def _reconnect(self, clients: Clients) -> dict[str, Any]:
        """The worker stops; its clients go to the other one."""
        moving = asyncio.create_task(clients.move(self.other))
        await asyncio.to_thread(self.running.close)
        moved, began = await moving
        times = [client.ready.result() - began for client in moved.clients]
        by_second = Counter(int(one) for one in times)
        await moved.close()
        return {
            "reconnect, s": round(max(times), 1),
            "reconnect, peak of a second by mean": round(max(by_second.values()) / (len(times) / max(times)), 1),
            "reconnected in each second": [by_second[one] for one in range(int(max(times)) + 1)],
            "streams that ended with an event": sum(one.has_end for one in clients.clients),
        }
