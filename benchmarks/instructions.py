"""The processor's instructions for a request, counted: for shared machines, where times say little."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.load import Load, Result, requests_for
from benchmarks.machine import need
from benchmarks.servers import Server, evo_todo, migrate
from benchmarks.world import World, fill, world

FEW: Final = 12
"""Users, so that every token is cached after the warm-up: verifying one takes far more than a request."""
CONNECTIONS: Final = 8


def instructions(seconds: float) -> dict[str, dict[str, float]]:
    """Instructions of a worker for each operation, and misses of the first-level instruction cache (32 KiB).

    Requests are slow under callgrind, so that fewer lines of the access log are written together: a get takes some
    20 000 instructions more than in production.
    """
    need("valgrind", "valgrind")
    with world() as made:
        migrate(made)
        fill(made)
        return {operation: _count(made, operation, seconds) for operation in ("get", "list", "create")}


def _count(made: World, operation: str, seconds: float) -> dict[str, float]:
    tokens = {made.token(number) for number in range(FEW)}
    load = Load.of(request for request in requests_for(operation, made) if request.token in tokens)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts"
        counter = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--cache-sim=yes", "--I1=32768,8,64"]
        with evo_todo(made, under=[*counter, f"--callgrind-out-file={file}"]) as server:
            _run(load, server, seconds)
            _control(server, "--instr=on")
            _run(load, server, 2)
            _control(server, "--zero")
            result = _run(load, server, seconds)
            _control(server, "--dump")
            text = Path(f"{file}.1").read_text()
    names, totals = (re.findall(rf"^{word}: (.*)$", text, re.MULTILINE)[0].split() for word in ("events", "summary"))
    counts = dict(zip(names, map(int, totals), strict=True))
    return {
        "instructions": round(counts["Ir"] / result.requests),
        "instruction cache misses": round(counts["I1mr"] / result.requests),
        "requests": result.requests,
    }


def _run(load: Load, server: Server, seconds: float) -> Result:
    return load.run(server, seconds, connections=CONNECTIONS)


def _control(server: Server, command: str) -> None:
    subprocess.run(["callgrind_control", command, str(server.process.pid)], check=True, capture_output=True)
