"""The load generator: wrk, on cores of its own, with requests of many users."""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterable
from itertools import combinations, permutations
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from benchmarks.machine import cpu_seconds
from benchmarks.servers import Server
from benchmarks.world import TASKS_EACH, USERS, World, task_id, user

CONNECTIONS: Final = 32
SCRIPT: Final = Path(__file__).with_name("load.lua")
BODY: Final = '{"title":"Buy milk","description":"Something to do"}'
OPERATIONS: Final = {
    "get": "get one",
    "list": "list 20",
    "first list": "list 20, never asked before",
    "create": "create",
}
"""Each operation and its name in tables."""
_NEUTRAL_PARAMS: Final = ("q=", "sort=created_at", "cursor=")
_QUERY_VARIANTS: Final = [
    params
    for size in range(len(_NEUTRAL_PARAMS) + 1)
    for more in combinations(_NEUTRAL_PARAMS, size)
    for params in permutations(("limit=20", *more))
]


@frozen
class Request:
    """One request that wrk sends."""

    method: str
    path: str
    token: str
    body: str = ""


@frozen(kw_only=True)
class Result:
    """The result of a run. Times are in seconds."""

    per_second: float
    p50: float
    p99: float
    failed: int
    broken: int
    requests: int
    cpu_per_request: float = 0.0


def requests_for(operation: str, world: World, count: int = 20_000) -> list[Request]:
    """Requests of all users, in the same random order each time."""
    chance = random.Random(operation)
    tokens = [world.token(number) for number in range(USERS)]
    made = []
    for number in range(count):
        who = chance.randrange(USERS)
        path = f"/api/{user(who)}/tasks"
        match operation:
            case "get":
                made.append(Request("GET", f"{path}/{task_id(who, chance.randrange(TASKS_EACH))}", tokens[who]))
            case "list":
                made.append(Request("GET", f"{path}?limit=20", tokens[who]))
            case "first list":
                # Each user's list in turn, with another query string each time: more than any cache holds.
                who, query = number % USERS, query_variant(number // USERS)
                made.append(Request("GET", f"/api/{user(who)}/tasks?{query}", tokens[who]))
            case "create":
                made.append(Request("POST", path, tokens[who], BODY))
    return made


def query_variant(number: int) -> str:
    """One of many query strings that mean the first twenty tasks."""
    return "&".join(_QUERY_VARIANTS[number % len(_QUERY_VARIANTS)])


@frozen
class Load:
    """A file of requests, ready to be sent."""

    file: Path

    @classmethod
    def of(cls, requests: Iterable[Request]) -> "Load":
        """Write the file."""
        with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
            file.writelines(f"{one.method}\t{one.path}\t{one.token}\t{one.body}\n" for one in requests)
        return cls(Path(file.name))

    def start(
        self, url: str, seconds: float, *, connections: int = CONNECTIONS, think: float = 0
    ) -> "subprocess.Popen[str]":
        """Start wrk; `think` is the mean pause in milliseconds between a response and the connection's next request."""
        threads = connections if think else 1  # a pause blocks its thread
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s"]
        command += ["-s", str(SCRIPT), url]
        return subprocess.Popen(
            command,
            env=os.environ | {"REQUESTS": str(self.file), "THINK": str(think), "THREADS": str(threads)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, server: Server, seconds: float, *, connections: int = CONNECTIONS, think: float = 0) -> Result:
        """Send the requests and return the result."""
        before = cpu_seconds(server.process)
        result = finished(self.start(server.url, seconds, connections=connections, think=think))
        used = cpu_seconds(server.process) - before
        return evolve(result, cpu_per_request=used / max(1, result.requests))


def finished(process: "subprocess.Popen[str]") -> Result:
    """Wait for a run and read its result."""
    output, _ = process.communicate()
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"wrk failed: {output}")
    values = json.loads(line.removeprefix("RESULT "))
    return Result(
        per_second=values["requests"] / (values["microseconds"] / 1e6),
        p50=values["p50"] / 1e6,
        p99=values["p99"] / 1e6,
        failed=values["failed"],
        broken=values["broken"],
        requests=values["requests"],
    )
