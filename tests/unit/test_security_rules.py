"""The table of rules and their tests says what is so."""

import ast
import re
from pathlib import Path

from tests.unit.test_breaks import RULES

ROOT = Path(__file__).parents[2]
TABLE = dict(
    re.findall(r"^\| ([RKAP][0-9]+) \| [^|]+ \| ([^|]+) \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
)


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_rule_has_its_line_and_the_tests_that_it_names_exist() -> None:
    assert set(TABLE) == RULES
    for named in TABLE.values():
        for file, _, test in (one.strip("` ").partition("::") for one in named.split(",")):
            assert test in functions(ROOT / file), test


def test_every_attack_by_a_rules_number_is_in_the_table() -> None:
    named = {one.strip("` ") for tests in TABLE.values() for one in tests.split(",")}
    for file in (ROOT / "tests/security").glob("test_*.py"):
        for test in functions(file):
            if re.match(r"test_[rkap][0-9]{2}_", test):
                assert f"tests/security/{file.name}::{test}" in named
