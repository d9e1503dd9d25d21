"""Shared connections to the database beside none, and Fastify, under loads of other shapes than the comparison's."""

from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any, Final

from benchmarks.compare import CACHED, expect_all_fine
from benchmarks.load import CONNECTIONS, Load, Request, Result, finished, query_variant, requests_for
from benchmarks.servers import Server, evo_todo, fastify, migrate
from benchmarks.world import TASKS_EACH, USERS, World, fill, user, world

WIDTHS: Final = (1, 4, 8, 32, 128)
"""Connections of the load generator."""
SLOW: Final = 4
"""Connections that ask for long pages, beside the others."""

Runs = dict[str, dict[str, list[Result]]]
"""Of each shape, by the server."""


def shapes(seconds: float, rounds: int) -> dict[str, Any]:
    """Requests a second, CPU time and latency by the number of connections, beside long pages, and on a real disk."""
    found = _measure(seconds, rounds, is_durable=False) | _measure(seconds, rounds, is_durable=True)
    return {shape: {name: _summary(runs) for name, runs in by_server.items()} for shape, by_server in found.items()}


def _measure(seconds: float, rounds: int, *, is_durable: bool) -> Runs:
    with world(is_durable=is_durable) as made, ExitStack() as stack:
        migrate(made)
        fill(made)
        started = (
            evo_todo(made, "shared connections"),
            evo_todo(made, "no shared connections", EVO_TODO_PIPELINE="off"),
            fastify(made, CACHED, has_cache=True),
        )
        servers = [stack.enter_context(server) for server in started]
        wanted = _durable(made) if is_durable else _shapes(made)
        found: Runs = {shape: {server.name: [] for server in servers} for shape in wanted}
        for number in range(rounds + 1):  # the first round warms up
            for shape, run in wanted.items():
                for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                    result = run(server, seconds)
                    expect_all_fine(server, shape, result)
                    if number:
                        found[shape][server.name].append(result)
        return found


def _shapes(made: World) -> dict[str, Callable[[Server, float], Result]]:
    get, create = (Load.of(requests_for(operation, made)) for operation in ("get", "create"))
    pages = Load.of(_long_pages(made))

    def of_width(load: Load, width: int) -> Callable[[Server, float], Result]:
        return lambda server, seconds: load.run(server, seconds, connections=width)

    def beside_pages(server: Server, seconds: float) -> Result:
        slow = pages.start(server.url, seconds + 1, connections=SLOW)
        try:
            return get.run(server, seconds, connections=CONNECTIONS)
        finally:
            finished(slow)

    widths = {f"get, {width} connections": of_width(get, width) for width in WIDTHS}
    widths |= {f"create, {width} connections": of_width(create, width) for width in WIDTHS}
    return widths | {"get, beside pages of 100": beside_pages}


def _durable(made: World) -> dict[str, Callable[[Server, float], Result]]:
    create = Load.of(requests_for("create", made))
    return {"create, on a real disk": create.run}


def _long_pages(made: World) -> list[Request]:
    """Each user's whole list, with one query string after the other."""
    tokens = [made.token(number) for number in range(USERS)]
    queries = [query_variant(number).replace("limit=20", f"limit={TASKS_EACH}") for number in range(4)]
    return [
        Request("GET", f"/api/{user(number)}/tasks?{query}", tokens[number])
        for query in queries
        for number in range(USERS)
    ]


def _summary(runs: list[Result]) -> dict[str, float]:
    return {
        "a second": round(median(one.per_second for one in runs)),
        "CPU, µs": round(median(one.cpu_per_request for one in runs) * 1e6, 1),
        "p50, ms": round(median(one.p50 for one in runs) * 1e3, 2),
        "p99, ms": round(median(one.p99 for one in runs) * 1e3, 2),
    }
