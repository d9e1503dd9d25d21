"""CPU pinning, CPU time and memory of processes, and versions."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

SERVER_CORE: Final = 0
LOAD_CORES: Final = set(range(1, os.cpu_count() or 2)) or {0}
"""For the load generator, PostgreSQL and the benchmark itself."""
_CPU_GROUPS: Final = Path("/sys/fs/cgroup/cpu")


def keep_to(cores: set[int]) -> None:
    """Pin this process, its future threads and child processes to these cores.

    Call it before the process starts threads: pinning affects the first thread only, and Node verifies signatures in
    others.
    """
    os.sched_setaffinity(0, cores)


@contextmanager
def awake() -> Generator[None]:
    """Keep idle processors out of sleep states, where the system allows it.

    Each request wakes a sleeping process four times. How long a wake-up takes depends on the machine, above all on
    virtual ones, and matters more the faster the server is; tools that measure latency therefore disable sleep states.
    """
    try:
        latency = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
    except OSError as error:
        sys.stderr.write(f"sleep states stay on ({error}): latencies will be longer and vary more\n")
        yield
        return
    try:
        os.write(latency, (0).to_bytes(4, sys.byteorder))  # microseconds; holds as long as the file is open
        yield
    finally:
        os.close(latency)


@contextmanager
def limit_cpu(processes: Sequence[psutil.Process], share: float) -> Generator[bool]:
    """Limit each process to a share of a core; yields whether that worked.

    It needs root and control groups of version 1.
    """
    groups = [_CPU_GROUPS / f"evo-todo-benchmark-{process.pid}" for process in processes]
    with ExitStack() as stack:
        try:
            for process, group in zip(processes, groups, strict=True):
                group.mkdir(exist_ok=True)
                stack.callback(group.rmdir)
                stack.callback(_leave, process)
                period = int((group / "cpu.cfs_period_us").read_text())
                (group / "cpu.cfs_quota_us").write_text(f"{int(period * share)}")
                (group / "cgroup.procs").write_text(f"{process.pid}")
        except OSError as error:
            sys.stderr.write(f"CPU time is not limited ({error})\n")
            stack.close()
            yield False
        else:
            yield True


def _leave(process: psutil.Process) -> None:
    with suppress(ProcessLookupError):
        (_CPU_GROUPS / "cgroup.procs").write_text(f"{process.pid}")


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and its children."""
    family = [process, *process.children(recursive=True)]
    return float(sum(times.user + times.system for times in (one.cpu_times() for one in family)))


def memory_mib(process: psutil.Process) -> float:
    """Resident memory of the largest of a process and its children: a worker, where there is a supervisor."""
    family = [process, *process.children(recursive=True)]
    return float(max(one.memory_info().rss for one in family)) / 2**20


def versions() -> dict[str, str]:
    """Versions of the software and the machine."""
    build = "of the system" if sys.base_prefix == "/usr" else "another build"
    found = {
        "python": f"{platform.python_version()} ({build})",
        "cores": str(os.cpu_count()),
        "machine": platform.machine(),
    }
    for package in ("litestar", "uvicorn", "asyncpg", "sqlalchemy", "msgspec", "fastapi", "pyjwt", "evo-todo"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name, command in (("node", ["node", "--version"]), ("wrk", ["wrk", "--version"])):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        found[name] = (ran.stdout or ran.stderr).split("\n")[0].partition(" [")[0].split()[-1]
    return found


def need(program: str, package: str) -> None:
    """Install a missing program from its Debian package.

    Raises:
        SystemExit: it is missing and can't be installed.
    """
    if shutil.which(program):
        return
    installed = shutil.which("apt-get") and os.geteuid() == 0
    if installed:
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-qq", "update"], check=False, env=env)
        subprocess.run(["apt-get", "-qq", "install", "--yes", package], check=False, env=env, stdout=subprocess.DEVNULL)
    if not shutil.which(program):
        raise SystemExit(f"{program} is missing: install {package}")
