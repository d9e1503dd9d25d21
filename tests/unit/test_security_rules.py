"""The table of security rules names every rule, and tests that exist."""

import ast
import re
from pathlib import Path

from tests.unit.test_breaks import RULES

ROOT = Path(__file__).parents[2]
TABLE = dict(
    re.findall(r"^\| ([RKAPV][0-9]+) \| [^|]+ \| ([^|]+) \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
)


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_rule_has_a_row_and_its_tests_exist() -> None:
    assert set(TABLE) == RULES
    for named in TABLE.values():
        for file, _, test in (one.strip("` ").partition("::") for one in named.split(",")):
            assert test in functions(ROOT / file), test


def test_every_test_named_after_a_rule_is_in_the_table() -> None:
    named = {one.strip("` ") for tests in TABLE.values() for one in tests.split(",")}
    for folder in ("tests/security", "tests/interop"):
        for file in (ROOT / folder).glob("test_*.py"):
            for test in functions(file):
                if re.match(r"test_[rkapv][0-9]{2}_", test):
                    assert f"{folder}/{file.name}::{test}" in named
