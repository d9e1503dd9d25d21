"""Run the interop suite with the newest Better Auth 1.x and Next, and report what changed: make compat.

    python -m tests.interop.newest                       # the newest of PACKAGES
    python -m tests.interop.newest better-auth@1.7.20    # these instead; the others stay as locked
    python -m tests.interop.newest --record              # and add the result to docs/compatibility.md

The versions are installed, built and tested in a copy of the tree: the tree and its lock file stay as they are. A test
that fails there is repeated with the frontend of the tree, if that is built, to report only what the versions have
changed. The exit status is 1 if they break anything.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import click
from attrs import frozen

ROOT: Final = Path(__file__).parents[2]
FRONTEND: Final = ROOT / "frontend"
PAGE: Final = ROOT / "docs" / "compatibility.md"
PACKAGES: Final = ("better-auth@1", "@better-auth/oauth-provider@1", "next@latest", "react@latest", "react-dom@latest")
SHOWN: Final = ("better-auth", "next", "react")
"""The packages with a column in PAGE."""


NOT_COPIED: Final = (".git", ".venv", "node_modules", ".next", "site", "dist", "mutants", "results", ".*_cache")


@frozen
class Result:
    """The counts of one run of the suite, and the tests that failed as pytest selects them."""

    passed: int
    failed: tuple[str, ...]


def versions(lock: dict[str, object]) -> dict[str, str]:
    """The version of each package that the frontend itself asks for, from the package-lock.json of all."""
    packages = lock["packages"]
    assert isinstance(packages, dict)
    own = packages[FRONTEND.name]
    names = sorted(own.get("dependencies", {}) | own.get("devDependencies", {}))
    found = {
        name: packages.get(f"{FRONTEND.name}/node_modules/{name}", packages.get(f"node_modules/{name}"))
        for name in names
    }
    return {name: package["version"] for name, package in found.items() if package and "version" in package}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A line for each package that has another version, and for SHOWN in any case."""
    return [
        f"{name}: {before.get(name, 'none')} → {after.get(name, 'none')}"
        for name in sorted(before.keys() | after.keys())
        if name in SHOWN or before.get(name) != after.get(name)
    ]


def read_report(text: str) -> Result:
    """The result in a report that pytest has written in the format of JUnit. Raises ParseError if it is none."""
    cases = list(ET.fromstring(text).iter("testcase"))
    failed = tuple(
        f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    )
    skipped = sum(case.find("skipped") is not None for case in cases)
    return Result(len(cases) - len(failed) - skipped, failed)


def install(copy: Path, wanted: Sequence[str]) -> Path:
    """Copy the tree, and install and build the frontend with these packages there. Returns the frontend's folder."""
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    folder = copy / FRONTEND.name
    # The provider's peers are exact versions that lag behind Better Auth's own: it gets Better Auth's.
    run(["npm", "pkg", "delete", "overrides"], copy)
    install = ["npm", "install", "--ignore-scripts", "--legacy-peer-deps", "--loglevel=error"]
    run([*install, f"--workspace={FRONTEND.name}", *wanted], copy)
    run(["npm", "run", "--silent", "build"], folder)
    return folder


def run(command: list[str], folder: Path) -> None:
    """Run it to its end. Raises CalledProcessError if it fails."""
    subprocess.run(command, cwd=folder, env=os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}, check=True)


def interop(frontend: Path, report: Path, tests: Sequence[str]) -> Result:
    """Run the tests with the frontend in this folder."""
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *tests]
    report.unlink(missing_ok=True)
    subprocess.run(command, cwd=ROOT, env=os.environ | {"TEST_FRONTEND": str(frontend)}, check=False)
    return read_report(report.read_text())


def frontend_checks(folder: Path) -> list[str]:
    """The frontend's own checks that fail: its types and its unit tests."""
    checks = (
        ["npm", "run", "--silent", "types"],
        ["npm", "test", "--silent", "--", "--reporter=dot", "--testTimeout=60000"],
    )
    return [" ".join(check) for check in checks if subprocess.run(check, cwd=folder, check=False).returncode]


def because_of_versions(failed: Sequence[str], report: Path) -> list[str]:
    """Those of the failed tests that pass with the frontend of the tree; all of them if that is not built."""
    if not failed or not (FRONTEND / ".next/standalone/frontend/server.js").is_file():
        return list(failed)
    click.echo("Repeating the failed tests with the locked versions")
    failed_too = interop(FRONTEND, report, failed).failed
    return [test for test in failed if test not in failed_too]


def row(found: dict[str, str], result: Result, date: str) -> str:
    """The line of the table in PAGE."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    cells = [date, *(found[name] for name in SHOWN), node.removeprefix("v"), platform.python_version()]
    return f"| {' | '.join(cells)} | {result.passed} passed, {len(result.failed)} failed |\n"


@click.command(help="Run the interop suite with the newest Better Auth 1.x and Next, in a copy.")
@click.argument("packages", nargs=-1)
@click.option("--record", is_flag=True, help="Add the result to docs/compatibility.md.")
def main(packages: tuple[str, ...], *, record: bool) -> None:
    """See the module's text."""
    before = versions(json.loads((ROOT / "package-lock.json").read_text()))
    with tempfile.TemporaryDirectory() as root:
        folder, report = install(Path(root) / "tree", packages or PACKAGES), Path(root) / "report.xml"
        found = versions(json.loads((folder.parent / "package-lock.json").read_text()))
        result = interop(folder, report, ["tests/interop"])
        broken = [*because_of_versions(result.failed, report), *frontend_checks(folder)]
    click.echo("\n  ".join(["", "Versions:", *differences(before, found)]))
    click.echo(f"Interop suite: {result.passed} passed, {len(result.failed)} failed")
    click.echo("\n  ".join(["Broken by these versions:", *(broken or ["nothing"])]))
    if record:
        with PAGE.open("a") as page:
            page.write(row(found, result, f"{datetime.now(UTC):%Y-%m-%d}"))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
