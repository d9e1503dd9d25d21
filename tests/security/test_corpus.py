"""The fuzzer's corpus, replayed: what it reached stays refused, and what is good stays good."""

from pathlib import Path

import pytest

from tests.security.fuzz_tokens import CORPUS, GOOD, try_header

FILES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_whatever_the_fuzzer_found_is_refused_or_good(file: Path) -> None:
    value = file.read_bytes()
    is_good = value.decode("latin-1").removeprefix("Bearer ") in GOOD
    assert (try_header(value) is not None) is is_good


def test_the_corpus_is_small_and_holds_what_is_good() -> None:
    assert len(FILES) <= 100
    assert {f"Bearer {token}".encode() for token in GOOD} <= {file.read_bytes() for file in FILES}
