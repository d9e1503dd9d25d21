import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import INVISIBLE, fold, has_visible_character, json_size, search_parts

VECTORS = json.loads((Path(__file__).parents[3] / "contracts/search-vectors.json").read_text())

NOTHING_TO_SEE = {"Cc", "Cf", "Zl", "Zp", "Zs"}
ALSO = [
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0, 0x16FE4, 0x1D159),
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0x13430, 0x13440),
    *(0x13441, 0x13442),
    *range(0xE0000, 0xE1000),
]
"""Default-ignorable characters of other categories, and blank letters and symbols (Unicode 16)."""


def test_the_invisible_characters_are_those_of_their_categories_and_the_known_blanks() -> None:
    listed = [code for first, last in INVISIBLE for code in range(first, last + 1)]
    assert listed == sorted(set(listed))
    of_category = {code for code in range(0x110000) if unicodedata.category(chr(code)) in NOTHING_TO_SEE}
    assert set(listed) == of_category | set(ALSO)


@pytest.mark.parametrize(
    ("text", "expected"), [("x", True), ("\u200bé\u200b", True), ("👨\u200d👩", True), ("\u0301", True)]
)
def test_one_visible_character_is_enough(text: str, expected: bool) -> None:
    assert has_visible_character(text) is expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  ", []),
        ('""', []),
        ("buy milk", ["buy", "milk"]),
        (' "buy  milk"  now', ["buy  milk", "now"]),
        ('"a b""c d"e', ["a b", "c d", "e"]),
        ('"a b', ['"a', "b"]),
        ('12" vinyl 7"', ['12"', "vinyl", '7"']),
        ('"" " " x', [" ", "x"]),
        ("a\u3000b\xa0c", ["a", "b", "c"]),
    ],
)
def test_a_search_is_words_and_quoted_parts(text: str, parts: list[str]) -> None:
    assert search_parts(text) == parts


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["text"])
def test_a_search_finds_what_the_vectors_say(vector: dict[str, Any]) -> None:
    """The frontend's search is held to the same vectors."""
    text = fold(vector["text"])

    def found(search: str) -> bool:
        return all(fold(part) in text for part in search_parts(search))

    assert [search for search in vector["finds"] if not found(search)] == []
    assert [search for search in vector["misses"] if found(search)] == []


@given(st.text())
def test_the_size_of_text_in_json_is_exact(text: str) -> None:
    assert json_size(text) == len(json.dumps(text, ensure_ascii=False).encode("utf-8", errors="surrogatepass")) - 2
