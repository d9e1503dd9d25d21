import pytest

from application.health import MAX_QUOTE_LENGTH, Finding, Status, all_passed, quoted


def test_whoever_reads_that_something_is_not_well_is_told_what_to_do() -> None:
    for status in (Status.FAILED, Status.NOTE):
        for advice in (None, ""):
            with pytest.raises(ValueError, match="told what to do"):
                Finding("clock", status, "it is late", advice)


def test_all_is_well_unless_something_failed() -> None:
    ok, note = Finding.ok("a", "fine"), Finding.note("b", "odd", "look twice")
    skipped, failed = Finding.skipped("c", "no a"), Finding.failed("d", "wrong", "mend it")
    assert all_passed([ok, note, skipped])
    assert not all_passed([ok, failed])
    assert (skipped.status, skipped.detail) == (Status.SKIPPED, "not judged: no a")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://a", '"http://a"'),
        ("", '""'),
        ("it's", '"it\'s"'),
        ('say "x"', r'"say \"x\""'),
        ('it\'s "x"', r'"it' + "'" + r's \"x\""'),
        ("\x1b[31mred\r\n\x7f\x9b", r'"\x1b[31mred\r\n\x7f\x9b"'),
        ("caf\u00e9 \u202e \U0001f600 \ud800", r'"caf\xe9 \u202e \U0001f600 \ud800"'),
        ("back\\slash", r'"back\\slash"'),
    ],
)
def test_a_foreign_text_is_shown_in_ascii_without_anything_a_terminal_obeys(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_a_long_foreign_text_is_cut() -> None:
    assert quoted("x" * MAX_QUOTE_LENGTH) == f'"{"x" * MAX_QUOTE_LENGTH}"'
    assert quoted("x" * 5000) == f'"{"x" * MAX_QUOTE_LENGTH}" (cut: it has 5000 characters)'
