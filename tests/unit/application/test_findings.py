import pytest

from application.health import MAX_QUOTE_LENGTH, Finding, Status, all_passed, quoted


def test_a_finding_that_is_not_ok_needs_advice() -> None:
    for status in (Status.FAILED, Status.NOTE):
        for advice in (None, ""):
            with pytest.raises(ValueError, match="needs advice"):
                Finding("clock", status, "it is late", advice)


def test_all_checks_passed_unless_one_failed() -> None:
    ok, note = Finding.ok("a", "fine"), Finding.note("b", "odd", "look twice")
    skipped, failed = Finding.skipped("c", "no a"), Finding.failed("d", "wrong", "fix it")
    assert all_passed([ok, note, skipped])
    assert not all_passed([ok, failed])
    assert (skipped.status, skipped.detail) == (Status.SKIPPED, "not checked: no a")


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
def test_untrusted_text_is_quoted_in_ascii_without_control_characters(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_long_untrusted_text_is_truncated() -> None:
    assert quoted("x" * MAX_QUOTE_LENGTH) == f'"{"x" * MAX_QUOTE_LENGTH}"'
    assert quoted("x" * 5000) == f'"{"x" * MAX_QUOTE_LENGTH}" (cut: it has 5000 characters)'
