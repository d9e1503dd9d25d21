"""Removes a test run's PostgreSQL once the run is over, however it ended.

Started with a folder as argument and a pipe as standard input. The other end of the pipe closes when the test
run exits or is killed; then every server with its data in the folder is ended, and the folder removed.
"""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

GRACE = 10  # seconds


def started_in(folder: Path) -> Iterator[psutil.Process]:
    """Yield what was started as `program -D a-directory-in-the-folder`."""
    for process in psutil.process_iter(["cmdline"]):
        match process.info["cmdline"]:
            case [_, "-D", str(directory), *_] if Path(directory).is_relative_to(folder):
                yield process


def end(process: psutil.Process) -> None:
    """Ask for an immediate shutdown, which leaves no shared memory behind; then insist."""
    with suppress(psutil.NoSuchProcess):
        family = [*process.children(recursive=True), process]
        process.send_signal(signal.SIGQUIT)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.resume()  # a test may have paused it
        _, left = psutil.wait_procs(family, timeout=GRACE)
        for member in left:
            with suppress(psutil.NoSuchProcess):
                member.kill()


def main() -> None:
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    deadline = time.monotonic() + GRACE
    while (servers := list(started_in(folder))) and time.monotonic() < deadline:
        for server in servers:
            end(server)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
