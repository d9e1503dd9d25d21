import pytest

from application.diagnosis import LONGEST_QUOTE, Finding, Status, is_well, quoted


def test_whoever_reads_that_something_is_not_well_is_told_what_to_do() -> None:
    for status in (Status.FAILED, Status.NOTE):
        for advice in (None, ""):
            with pytest.raises(ValueError, match="told what to do"):
                Finding("clock", status, "it is late", advice)


def test_all_is_well_unless_something_failed() -> None:
    ok, note = Finding.ok("a", "fine"), Finding.note("b", "odd", "look twice")
    skipped, failed = Finding.not_judged("c", "no a"), Finding.failed("d", "wrong", "mend it")
    assert is_well([ok, note, skipped])
    assert not is_well([ok, failed])
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
    assert quoted("x" * LONGEST_QUOTE) == f'"{"x" * LONGEST_QUOTE}"'
    assert quoted("x" * 5000) == f'"{"x" * LONGEST_QUOTE}" (cut: it has 5000 characters)'
