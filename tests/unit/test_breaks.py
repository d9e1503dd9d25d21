"""The list of rules to break says what is there."""

from collections import Counter
from pathlib import Path

import pytest

from tests.security.breaks import BREAKS, Break

SOURCES = Path(__file__).parents[2] / "src"
RULES = {
    f"{letter}{number}" for letter, last in (("R", 18), ("K", 10), ("A", 18), ("P", 8)) for number in range(1, last + 1)
}


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.rule}-{broken.text[:30]}")
def test_what_is_to_be_broken_is_there_once(broken: Break) -> None:
    assert (SOURCES / broken.file).read_text().count(broken.text) == 1
    assert broken.text != broken.instead


def test_each_rule_can_be_broken() -> None:
    broken = Counter(one.rule for one in BREAKS)
    assert set(broken) == RULES
