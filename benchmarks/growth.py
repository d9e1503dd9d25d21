"""Speed and memory as tasks, users and time grow."""

import asyncio
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
from attrs import frozen

from adapters.http.list_params import encode_cursor
from benchmarks.compare import expect_all_fine
from benchmarks.load import OPERATIONS, Load, Request, requests_for
from benchmarks.machine import cpu_seconds, limit_cpu, memory_mib
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import USERS, World, fill, fill_sqlite, settle, task_id, user, world
from domain.task import TaskId
from domain.task_list import PageKey, TaskQuery

SIZES: Final = (20, 1000, 100_000, 1_000_000)
USER_COUNTS: Final = (10, 1000, 100_000)
REQUESTS: Final = 300
SECONDS: Final = 8.0
ROUNDS: Final = 8
SHARE: Final = 0.3
"""Share of a core for each worker: two workers need less than one core, so load and database keep theirs."""
_MANY: Final = """
INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
SELECT 'u' || u, md5(u || '-0')::uuid, 'Task', 'Something', false, now(), now(), 1, 'task'
FROM generate_series($1::int, $2::int) u
"""
_GROW: Final = """
INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
SELECT $1, md5($2 || '-' || n)::uuid, 'Task ' || n, 'Something', n % 3 = 0, now(), now(), 1, 'task ' || n
FROM generate_series($3::int, $4::int - 1) n
"""


def growth(minutes: float) -> dict[str, Any]:
    """Measure lists, users, search, memory, workers and engines."""
    with world() as made:
        migrate(made)
        fill(made)
        with evo_todo(made) as server:
            found: dict[str, Any] = {
                # First: after a million new rows, the database is busy with vacuuming for minutes.
                "memory": _memory(made, server, minutes),
                "list": _list_sizes(made, server),
                "people": _users(made, server),
                "search": _search(made, server),
                "thousand": _thousand(made, server),
            }
        found["workers"] = _workers(made)
    return found | {"engines": _engines()}


@contextmanager
def _changing(made: World, owner: int) -> Generator[Callable[[], object]]:
    """A function that raises the revision of a user's list, so that the next page is not served from the cache."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(made.administration))
        raising = "UPDATE task_lists SET revision = revision + 1 WHERE owner_id = $1"
        try:
            yield lambda: runner.run(connection.execute(raising, user(owner)))
        finally:
            runner.run(connection.close())


@frozen
class _List:
    """A user's list and a client for it."""

    client: httpx.Client
    path: str
    ids: list[UUID]
    change: Callable[[], object]

    def page(self, **parameters: str) -> Callable[[int], httpx.Response]:
        """A function that requests the first page, or the page of these parameters, after a change."""

        def ask(_: int) -> httpx.Response:
            self.change()
            return self.client.get(self.path, params={"limit": "20", **parameters})

        return ask

    @property
    def deepest(self) -> str:
        """The cursor of the last page."""
        return encode_cursor(PageKey(datetime.now(UTC), TaskId(self.ids[-min(21, len(self.ids))])), TaskQuery())


def _list_sizes(made: World, server: Server) -> dict[str, dict[str, float]]:
    """Milliseconds of the first page, the last page, a get and a create, for lists of each size alternately."""
    with ExitStack() as stack:
        lists = {f"{size}": stack.enter_context(_list_of(made, server, 9_100_000 + size, size)) for size in SIZES}
        settle(made)
        kinds: dict[str, dict[str, Callable[[int], httpx.Response]]] = {
            "first page": {size: one.page() for size, one in lists.items()},
            "deepest page": {size: one.page(cursor=one.deepest) for size, one in lists.items()},
            "get": {size: _getting(one) for size, one in lists.items()},
            "create": {size: _creating(one) for size, one in lists.items()},
        }
        found: dict[str, dict[str, float]] = {size: {} for size in lists}
        for kind, asks in kinds.items():
            for size, took in _alternate(asks).items():
                found[size][kind] = median(took)
        return found


@contextmanager
def _list_of(made: World, server: Server, owner: int, size: int) -> Generator[_List]:
    asyncio.run(made.execute("INSERT INTO task_lists VALUES ($1, 1)", user(owner)))
    asyncio.run(made.execute(_GROW, user(owner), str(owner), 0, size))
    ids: list[UUID] = sorted(task_id(owner, number) for number in range(size))
    with _client(made, server, owner) as client, _changing(made, owner) as change:
        yield _List(client, f"/api/{user(owner)}/tasks", ids, change)


def _alternate(asks: dict[str, Callable[[int], httpx.Response]]) -> dict[str, list[float]]:
    """Milliseconds of each, alternately: on a shared machine, only consecutive requests are comparable."""
    took: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(REQUESTS):
        for name, ask in asks.items():
            took[name].append(ask(number).raise_for_status().elapsed.total_seconds() * 1000)
    return took


def _getting(one: _List) -> Callable[[int], httpx.Response]:
    return lambda number: one.client.get(f"{one.path}/{one.ids[number * 7919 % len(one.ids)]}")


def _creating(one: _List) -> Callable[[int], httpx.Response]:
    return lambda _: one.client.post(one.path, json={"title": "x"})


def _users(made: World, server: Server) -> dict[str, float]:
    """Requests per second of getting a task, with a growing number of users."""
    found = {}
    for goal in USER_COUNTS:
        if goal > USERS:
            asyncio.run(
                made.execute(
                    "INSERT INTO task_lists SELECT 'u' || u, 1 FROM generate_series($1::int, $2::int) u", USERS, goal
                )
            )
            asyncio.run(made.execute(_MANY, USERS, goal))
            asyncio.run(made.execute("VACUUM ANALYZE"))
        asked = min(goal, 9000)  # the service caches 10 000 tokens
        step = goal // asked
        numbers = [number * step for number in range(asked)]
        requests = [Request("GET", f"/api/{user(one)}/tasks/{task_id(one, 0)}", made.token(one)) for one in numbers]
        load = Load.of(requests)
        load.run(server, 3 + asked / 600)  # until each token is cached
        result = load.run(server, SECONDS)
        expect_all_fine(server, f"{goal} people", result)
        found[f"{goal}"] = result.per_second
    return found


def _search(made: World, server: Server) -> dict[str, float]:
    """Milliseconds of a search without matches, which reads all 10 000 tasks."""
    with _list_of(made, server, 9_000_001, 10_000) as one:
        took = _alternate({"search": one.page(q="not to be found")})["search"]
    return {"p50": median(took), "p99": quantiles(took, n=100)[98]}


def _thousand(made: World, server: Server) -> dict[str, float]:
    """Milliseconds of the server's CPU for a response with 1000 tasks."""
    with _list_of(made, server, 9_000_002, 1000) as one:
        before = cpu_seconds(server.process)
        took = _alternate({"thousand": one.page(limit="1000")})["thousand"]
        return {"cpu": (cpu_seconds(server.process) - before) / REQUESTS * 1000, "p50": median(took)}


def _memory(made: World, server: Server, minutes: float) -> list[float]:
    """Memory of the worker, in MiB, at ten points of a mixed load."""
    load = Load.of([one for operation in OPERATIONS for one in requests_for(operation, made, 5000)])
    found = [memory_mib(server.process)]
    for _ in range(10):
        expect_all_fine(server, "mixed", load.run(server, max(1, minutes * 6)))
        found.append(memory_mib(server.process))
    return found


def _engines() -> dict[str, dict[str, float]]:
    """Requests per second on SQLite and PostgreSQL, alternately; SQLite syncs a create to disk before its response."""
    found: dict[str, dict[str, float]] = {"sqlite": {}, "postgresql": {}}
    with world() as made, tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'tasks.db'}"
        migrate(made, url)
        migrate(made)
        fill(made)
        fill_sqlite(Path(folder) / "tasks.db")
        with evo_todo(made, DATABASE_URL=url) as small, evo_todo(made) as large:
            for operation in OPERATIONS:
                load = Load.of(requests_for(operation, made))
                for name, server in (("sqlite", small), ("postgresql", large)):
                    load.run(server, 3)
                    result = load.run(server, SECONDS)
                    expect_all_fine(server, f"{name} {operation}", result)
                    found[name][operation] = result.per_second
    return found


def _workers(made: World) -> dict[str, list[float]]:
    """Gets per second and microseconds of CPU per get, for one worker and for two, alternately.

    Each worker is limited to a share of the server's core, so that two workers do not slow down the load generator or
    the database. Where control groups are not available, two workers share one core, and only the CPU time is compared.
    """
    load = Load.of(requests_for("get", made))
    with evo_todo(made, EVO_TODO_WORKERS="1") as one, evo_todo(made, EVO_TODO_WORKERS="2") as two:
        servers = {"one": one, "two": two}
        for server in servers.values():
            load.run(server, 2 * SECONDS)  # until each worker has started and cached each token
        found: dict[str, list[float]] = {"one": [], "two": [], "one's CPU": [], "two's CPU": []}
        (alone,), (first, second) = one.workers, two.workers
        with limit_cpu([alone, first, second], SHARE) as is_limited:
            for _ in range(ROUNDS):
                for name, server in servers.items():
                    result = load.run(server, SECONDS / 2)
                    expect_all_fine(server, f"{name} workers", result)
                    if is_limited:
                        found[name].append(result.per_second)
                    found[f"{name}'s CPU"].append(result.cpu_per_request * 1e6)
    return found


def _client(made: World, server: Server, owner: int) -> httpx.Client:
    headers = {"Authorization": f"Bearer {made.token(owner)}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=30, trust_env=False)
