"""Replay the fuzzer's corpus: hostile headers stay refused, valid ones stay accepted."""

from pathlib import Path

import pytest

from tests.security.fuzz_tokens import CORPUS, VALID, try_header

FILES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_refused_or_valid(file: Path) -> None:
    value = file.read_bytes()
    is_valid = value.decode("latin-1").removeprefix("Bearer ") in VALID
    assert (try_header(value) is not None) is is_valid


def test_the_corpus_is_small_and_has_every_valid_token() -> None:
    assert len(FILES) <= 100
    assert {f"Bearer {token}".encode() for token in VALID} <= {file.read_bytes() for file in FILES}
