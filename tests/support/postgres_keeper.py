"""Removes a test run's PostgreSQL servers when the run ends, even if it was killed.

Started with a folder as argument and a pipe as standard input. The pipe closes when the test run exits or is killed;
then every server with its data in the folder is ended and the folder is removed.
"""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

TIMEOUT = 10  # seconds


def started_in(folder: Path) -> Iterator[psutil.Process]:
    """Yield the processes that were started as `program -D directory`, with a directory inside the folder."""
    for process in psutil.process_iter(["cmdline"]):
        match process.info["cmdline"]:
            case [_, "-D", str(directory), *_] if Path(directory).is_relative_to(folder):
                yield process


def end(process: psutil.Process) -> None:
    """Request an immediate shutdown, which removes shared memory; kill the processes that are left."""
    with suppress(psutil.NoSuchProcess):
        family = [*process.children(recursive=True), process]
        process.send_signal(signal.SIGQUIT)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.resume()  # a test may have paused it
        _, left = psutil.wait_procs(family, timeout=TIMEOUT)
        for member in left:
            with suppress(psutil.NoSuchProcess):
                member.kill()


def main() -> None:
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    deadline = time.monotonic() + TIMEOUT
    while (servers := list(started_in(folder))) and time.monotonic() < deadline:
        for server in servers:
            end(server)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
