import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
INNER = [path for package in ("domain", "application") for path in sorted((SRC / package).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("path", INNER, ids=[str(path.relative_to(SRC)) for path in INNER])
def test_the_inner_layers_import_nothing_but_attrs_and_the_standard_library(path: Path) -> None:
    allowed = {"attrs", "domain"} | ({"application"} if "application" in path.parts else set())
    assert {name for name in imported(path) if name not in sys.stdlib_module_names} <= allowed


def test_only_the_entry_points_read_the_environment() -> None:
    readers = {path.relative_to(SRC).parts[0] for path in SRC.rglob("*.py") if "os.environ" in path.read_text()}
    assert readers == {"entrypoints"}
