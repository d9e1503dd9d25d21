"""Break one rule after the other in copies of the sources, and see its tests fail: `make breaks ARGS="R4 P"`.

Arguments are rules, or the letters that they begin with. As many rules are tried at once as there are processors. The
frontend is built with each of its rules broken.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from attrs import field, frozen

from tests.security.breaks import BREAKS, Break

ROOT = Path(__file__).parents[2]
TIMEOUT = 120 * (os.cpu_count() or 1)
"""Seconds for the tests of one rule: a broken rule can make a test wait for ever. The copies share the processors."""
FOLDERS = ("src", "tests", "contracts", "docs", "clients")
FRONTEND_FOLDERS = ("frontend",)
FILES = ("package.json", "pyproject.toml", "README.md", "Makefile", ".env.example", "docker-compose.yml", "SECURITY.md")


@frozen
class Copy:
    """A copy of the sources and their tests."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, with_frontend: bool) -> "Copy":
        """Copy everything that the tests need."""
        for name in (*FOLDERS, *(FRONTEND_FOLDERS if with_frontend else ())):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".next", "dist"))
        for name in FILES:
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, folder)
        copy = cls(folder)
        if with_frontend:
            shutil.copytree(ROOT / "node_modules", folder / "node_modules", symlinks=True)
            copy.build_frontend()
        return copy

    def build_frontend(self) -> None:
        """Build the frontend as it is now. Raises CalledProcessError if that fails."""
        environ = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}
        command = ["npm", "run", "--silent", "build"]
        subprocess.run(command, cwd=self.folder / "frontend", env=environ, check=True, stdout=subprocess.DEVNULL)

    def notices(self, broken: Break) -> bool:
        """Whether some test fails with this rule broken; the sources are intact again afterwards."""
        sources = self.folder / ("frontend" if broken.is_of_frontend else "src")
        file = sources / broken.place.file
        intact = file.read_text()
        file.write_text(broken.place.replaced(broken.replacement, sources))
        try:
            if broken.is_of_frontend:
                self.build_frontend()
            return not self.passes(broken.target)
        except subprocess.TimeoutExpired:
            return True  # a test that waits for ever has noticed, too
        finally:
            file.write_text(intact)

    def passes(self, target: list[str]) -> bool:
        """Whether these tests pass.

        Raises:
            SystemExit: they could not be run.
            subprocess.TimeoutExpired: they took longer than TIMEOUT.
        """
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *target],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(self.folder / "src"), str(self.folder)])},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        if ran.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            raise SystemExit(f"{target}: {ran.stdout}{ran.stderr}")
        return ran.returncode == pytest.ExitCode.OK


@frozen
class Pool:
    """Copies, each used by one rule at a time."""

    size: int
    with_frontend: bool
    _free: "SimpleQueue[Copy]" = field(init=False, factory=SimpleQueue)

    @contextmanager
    def opened(self) -> Generator["Pool"]:
        """Make the copies, and remove them in the end."""
        with tempfile.TemporaryDirectory() as folder:
            for number in range(self.size):
                self._free.put(Copy.make(Path(folder) / f"{number}", with_frontend=self.with_frontend))
            yield self

    @contextmanager
    def copy(self) -> Generator[Copy]:
        """A copy that nobody else uses."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def passes(self, target: list[str]) -> bool:
        """Whether these tests pass in an intact copy."""
        with self.copy() as copy:
            return copy.passes(target)

    def notices(self, broken: Break) -> bool:
        """Whether some test fails with this rule broken."""
        with self.copy() as copy:
            return copy.notices(broken)


def unnoticed(chosen: list[Break]) -> Iterator[Break]:
    """Break each rule, report it, and yield those that no test noticed.

    Raises:
        SystemExit: tests fail before anything is broken.
    """
    with_frontend = any(broken.is_of_frontend for broken in chosen)
    with Pool(os.cpu_count() or 1, with_frontend).opened() as pool, ThreadPoolExecutor(pool.size) as threads:
        targets = [*{tuple(broken.target): broken.target for broken in chosen}.values()]
        failing = [
            target for target, passes in zip(targets, threads.map(pool.passes, targets), strict=True) if not passes
        ]
        if failing:
            raise SystemExit(f"{failing} fails before anything is broken")
        for broken, is_noticed in zip(chosen, threads.map(pool.notices, chosen), strict=True):
            result = "red" if is_noticed else "GREEN"
            sys.stdout.write(f"{broken.rule:4} {result:5} {broken.scope}: {broken.fragment[:70]!r}\n")
            sys.stdout.flush()
            if not is_noticed:
                yield broken


def main(wanted: list[str]) -> None:
    """Break the wanted rules, or all; exit with 1 when no test noticed one of them."""
    chosen = [broken for broken in BREAKS if not wanted or {broken.rule, broken.rule[0]} & {*wanted}]
    missed = len([*unnoticed(chosen)])
    raise SystemExit(f"{missed} of {len(chosen)} were not noticed" if missed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
