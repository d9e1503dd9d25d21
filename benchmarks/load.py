"""wrk, away from the servers, with requests of many users."""

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
"""What is measured, and what it is called."""
_SAME: Final = ("q=", "sort=created_at", "cursor=")
_WORDS: Final = [
    words
    for size in range(len(_SAME) + 1)
    for more in combinations(_SAME, size)
    for words in permutations(("limit=20", *more))
]


@frozen
class Request:
    """One line of what wrk sends."""

    method: str
    path: str
    token: str
    body: str = ""


@frozen(kw_only=True)
class Result:
    """What a run came to. Times are in seconds."""

    per_second: float
    p50: float
    p99: float
    failed: int
    broken: int
    requests: int
    cpu_per_request: float = 0.0


def requests_for(operation: str, world: World, count: int = 20_000) -> list[Request]:
    """That many requests of all users, in an order that is the same each time."""
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
                # Each user's list in turn, asked for in other words each time: nobody stores so many answers.
                who, words = number % USERS, in_other_words(number // USERS)
                made.append(Request("GET", f"/api/{user(who)}/tasks?{words}", tokens[who]))
            case "create":
                made.append(Request("POST", path, tokens[who], BODY))
    return made


def in_other_words(number: int) -> str:
    """A query string that asks for the first twenty tasks: one of many."""
    return "&".join(_WORDS[number % len(_WORDS)])


@frozen
class Load:
    """A file of requests, ready to be sent."""

    file: Path

    @classmethod
    def of(cls, requests: Iterable[Request]) -> "Load":
        """Write it."""
        with tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False) as file:
            file.writelines(f"{one.method}\t{one.path}\t{one.token}\t{one.body}\n" for one in requests)
        return cls(Path(file.name))

    def start(
        self, url: str, seconds: float, *, connections: int = CONNECTIONS, think: float = 0
    ) -> "subprocess.Popen[str]":
        """Begin; `think` is the mean number of milliseconds between an answer and a connection's next request."""
        threads = connections if think else 1  # who thinks keeps the thread from all else
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s"]
        command += ["-s", str(SCRIPT), url]
        return subprocess.Popen(
            command,
            env=os.environ | {"REQUESTS": str(self.file), "THINK": str(think), "THREADS": str(threads)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, server: Server, seconds: float, *, connections: int = CONNECTIONS, think: float = 0) -> Result:
        """Send it, and tell what came of it."""
        before = cpu_seconds(server.process)
        result = finished(self.start(server.url, seconds, connections=connections, think=think))
        used = cpu_seconds(server.process) - before
        return evolve(result, cpu_per_request=used / max(1, result.requests))


def finished(process: "subprocess.Popen[str]") -> Result:
    """Wait for a run, and read what it says."""
    output, _ = process.communicate()
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"wrk failed: {output}")
    said = json.loads(line.removeprefix("RESULT "))
    return Result(
        per_second=said["requests"] / (said["microseconds"] / 1e6),
        p50=said["p50"] / 1e6,
        p99=said["p99"] / 1e6,
        failed=said["failed"],
        broken=said["broken"],
        requests=said["requests"],
    )
