"""The service and its peers: throughput in interleaved rounds, then latency at half of each server's own maximum."""

import sys
from contextlib import ExitStack
from statistics import median
from typing import Any, Final

import httpx
from attrs import asdict

from benchmarks.load import CONNECTIONS, OPERATIONS, Load, Result, requests_for
from benchmarks.machine import memory_mib, versions
from benchmarks.servers import Server, evo_todo, fastify, migrate, python_peer
from benchmarks.world import World, fill, settle, task_id, user, world
from tests.support.postgres_local import version

GUIDE, CEILING, OURS = "guide (FastAPI, ORM)", "Litestar alone (the ceiling)", "Evo-TODO"
FASTIFY, CACHED = "Fastify + jose + pg", "Fastify with a token cache"
TARGETS: Final = (
    (OURS, "get", GUIDE, 9.0),
    (OURS, "list", GUIDE, 9.0),
    (OURS, "create", GUIDE, 9.0),
    (OURS, "get", FASTIFY, 1.5),
    (OURS, "list", FASTIFY, 1.5),
    (OURS, "create", FASTIFY, 1.0),
    (OURS, "get", CEILING, 0.45),
    (OURS, "get", CACHED, 1.0),
    (OURS, "list", CACHED, 1.15),
    (OURS, "first list", CACHED, 1.0),
    (OURS, "create", CACHED, 1.0),
)
"""Server, operation, peer, and the least ratio of their throughput."""
MAX_TAIL: Final = 2.0
"""Milliseconds of the slowest 1 % of gets at half load."""
MAX_MEMORY: Final = 130
"""MiB of the service."""


def compare(seconds: float, rounds: int) -> dict[str, Any]:
    """Measure all servers; docs/performance.md describes the result."""
    with world() as made, ExitStack() as stack:
        migrate(made)
        fill(made)
        servers = [
            stack.enter_context(server)
            for server in (
                python_peer(made, GUIDE, "guide"),
                fastify(made, FASTIFY, has_cache=False),
                fastify(made, CACHED, has_cache=True),
                evo_todo(made, OURS),
                python_peer(made, CEILING, "ceiling"),
            )
        ]
        for server in servers:
            check(server, made)
        loads = {operation: Load.of(requests_for(operation, made)) for operation in OPERATIONS}
        found: dict[str, dict[str, list[Result]]] = {one.name: {op: [] for op in OPERATIONS} for one in servers}
        for number in range(rounds + 1):  # the first round warms up
            for operation in OPERATIONS:
                for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                    result = loads[operation].run(server, seconds if number else min(seconds, 3))
                    expect_all_fine(server, operation, result)
                    if number:
                        found[server.name][operation].append(result)
                        _log(f"{server.name:30} {operation:7} {result.per_second:8.0f}/s")
        settle(made)
        half: dict[str, list[Result]] = {one.name: [] for one in servers}
        for _ in range(rounds):
            for one in servers:
                half[one.name].append(_at_half(one, loads["get"], found[one.name]["get"], seconds))
        return {
            "versions": versions() | {"postgresql": (version(made.server.installation.programs) or "").split()[-1]},
            "connections": CONNECTIONS,
            "seconds": seconds,
            "servers": {
                one.name: {
                    "runs": {op: [asdict(result) for result in found[one.name][op]] for op in OPERATIONS},
                    "half": [asdict(result) for result in half[one.name]],
                    "memory_mib": memory_mib(one.process),
                }
                for one in servers
            },
        }


def check(server: Server, made: World) -> None:
    """Check that each kind of response is correct before it is timed.

    Raises:
        SystemExit: one is not.
    """
    if server.name == CEILING:
        return
    with httpx.Client(base_url=server.url, timeout=10) as client:
        mine = {"Authorization": f"Bearer {made.token(7)}"}
        listed = client.get(f"/api/{user(7)}/tasks", params={"limit": 20}, headers=mine)
        one = client.get(f"/api/{user(7)}/tasks/{task_id(7, 3)}", headers=mine)
        new = client.post(f"/api/{user(7)}/tasks", json={"title": "Buy milk"}, headers=mine)
        others = client.get(f"/api/{user(8)}/tasks", headers=mine)
        forged = client.get(f"/api/{user(7)}/tasks", headers={"Authorization": f"Bearer {made.token(7)[:-3]}abc"})
    is_right = (
        (listed.status_code, listed.json()["count"], len(listed.json()["data"])) == (200, 20, 20)
        and (one.status_code, one.json()["id"], one.json()["user_id"]) == (200, str(task_id(7, 3)), user(7))
        and (new.status_code, new.json()["title"]) == (201, "Buy milk")
        and (others.status_code, forged.status_code) == (403, 401)
    )
    if not is_right:
        raise SystemExit(f"{server.name} gives wrong responses: {listed} {one} {new} {others} {forged}")


def expect_all_fine(server: Server, what: str, result: Result) -> None:
    """Raise SystemExit when a request of a run failed."""
    if result.failed or result.broken or not result.requests:
        raise SystemExit(f"{server.name}, {what}: {result.failed} rejected, {result.broken} broken: {result}")


def _at_half(server: Server, load: Load, runs: list[Result], seconds: float) -> Result:
    """Latency at half the maximum throughput: connections pause between requests."""
    goal = median(one.per_second for one in runs) / 2
    think = CONNECTIONS / goal * 1000
    result = load.run(server, seconds, think=think)
    expect_all_fine(server, "half", result)
    return result


def ratios(found: dict[str, Any], one: str, operation: str, other: str) -> list[float]:
    """The ratio of two servers' throughput, round by round."""
    pairs = zip(*(found["servers"][name]["runs"][operation] for name in (one, other)), strict=True)
    return [mine["per_second"] / theirs["per_second"] for mine, theirs in pairs]


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
