"""Every place of tests/security/breaks.py is in src or frontend exactly once."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.security.break_places import Place, PlaceError
from tests.security.breaks import BREAKS, Break

RULES = {
    f"{letter}{number}" for letter, last in (("R", 18), ("K", 10), ("A", 18), ("P", 9)) for number in range(1, last + 1)
} | {f"V{number}" for number in range(1, 14)}
SOURCE = """
class Door:
    '''Opens for "alice".'''

    def open(self, who):
        if who != 'alice':  # a remark
            raise LookupError(f"no {who}", "open for nobody")
        check(who, strict = True)

    def close(self, who):
        if who != "alice": raise LookupError
"""


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.rule}-{broken.fragment[:30]}")
def test_each_place_is_there_once_and_what_replaces_it_is_another(broken: Break) -> None:
    changed = broken.place.replaced(broken.replacement)
    assert changed != broken.place.replaced(broken.fragment)
    if not broken.is_of_frontend:
        ast.parse(changed)


def test_each_rule_can_be_broken() -> None:
    assert set(Counter(broken.rule for broken in BREAKS)) == RULES


@pytest.mark.parametrize(
    ("scope", "fragment", "replacement", "result"),
    [
        ("door.py::Door.open", 'who != "alice"', "False", "if False:"),
        ("door.py::Door.open", "strict=True", "strict=False", "check(who, strict=False)"),
        ("door.py::Door.open", "check(who, strict=True)", "None", "        None"),
        ("door.py::Door.close", 'if who != "alice": raise LookupError', "pass", "        pass"),
        ("door.py", '"nobody"', '"all"', "'open for all'"),
    ],
)
def test_a_fragment_is_found_by_its_syntax(
    scope: str, fragment: str, replacement: str, result: str, tmp_path: Path
) -> None:
    (tmp_path / "door.py").write_text(SOURCE)
    assert result in Place(scope, fragment).replaced(replacement, tmp_path)


@pytest.mark.parametrize(
    ("scope", "fragment", "hint"),
    [
        ("door.py::Door.open", 'who != "alicia"', "who != 'alice'"),
        ("door.py::Door.opened", "raise LookupError", "['Door.close']"),
        ("door.py::Door.close", "strict=True", "['door.py::Door.open']"),
        ("door.py", 'who != "alice"', "2 times"),
    ],
)
def test_a_place_that_is_not_there_once_is_reported_with_what_is_closest(
    scope: str, fragment: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "door.py").write_text(SOURCE)
    with pytest.raises(PlaceError) as raised:
        Place(scope, fragment).replaced("None", tmp_path)
    assert scope.partition("::")[0] in str(raised.value)
    assert hint in str(raised.value)
