"""Break one rule after the other in a copy of the sources, and see its tests fail: `make breaks ARGS="R4 P"`.

Arguments are rules, or the letters that they begin with.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.security.breaks import BREAKS, Break

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds: a broken rule can leave a test waiting for what never comes."""


def is_noticed(broken: Break, copy: Path) -> bool:
    """Whether some test fails with this rule broken; the copy is whole again afterwards."""
    file = copy / "src" / broken.file
    whole = file.read_text()
    file.write_text(whole.replace(broken.text, broken.instead))
    try:
        return not passes(broken.target, copy)
    except subprocess.TimeoutExpired:
        return True  # who waits for ever has noticed, too
    finally:
        file.write_text(whole)


def passes(target: list[str], copy: Path) -> bool:
    """Whether these tests pass.

    Raises:
        SystemExit: they could not be run.
        subprocess.TimeoutExpired: they found no end.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *target],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if ran.returncode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise SystemExit(f"{target}: {ran.stdout}{ran.stderr}")
    return ran.returncode == pytest.ExitCode.OK


def main(wanted: list[str]) -> None:
    """Break what is wanted, or everything; end with 1 when something was not noticed."""
    chosen = [one for one in BREAKS if not wanted or {one.rule, one.rule[0]} & {*wanted}]
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests", "contracts", "docs"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "Makefile", ".env.example", "docker-compose.yml", "SECURITY.md"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, copy)
        for target in {tuple(one.target): one.target for one in chosen}.values():
            if not passes(target, copy):
                raise SystemExit(f"{target} fails before anything is broken")
        for one in chosen:
            noticed = is_noticed(one, copy)
            sys.stdout.write(f"{one.rule:4} {'red' if noticed else 'GREEN'}  {one.file}: {one.text[:70]!r}\n")
            sys.stdout.flush()
            if not noticed:
                unnoticed.append(one)
    raise SystemExit(f"{len(unnoticed)} of {len(chosen)} were not noticed" if unnoticed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
