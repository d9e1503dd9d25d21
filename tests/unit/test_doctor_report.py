import json

import click

from application.health import Finding
from entrypoints.doctor import as_json, as_text

FINDINGS = (
    Finding.ok("settings", "all are valid"),
    Finding.failed("key-set", "nobody listens", "start it"),
    Finding.skipped("keys", "no key set"),
    Finding.note("key-set-origin", "another host", "look twice"),
)


def test_each_check_is_one_line_with_mark_name_and_advice() -> None:
    assert click.unstyle(as_text(FINDINGS)) == (
        "ok    settings        all are valid\n"
        "FAIL  key-set         nobody listens -> start it\n"
        "--    keys            not checked: no key set\n"
        "note  key-set-origin  another host -> look twice\n"
    )


def test_marks_are_coloured_for_terminals() -> None:
    ok, failed, *_ = as_text(FINDINGS).splitlines()
    assert ok.startswith("\x1b[32mok")
    assert failed.startswith("\x1b[31mFAIL")


def test_no_control_character_reaches_the_terminal() -> None:
    line = click.unstyle(as_text([Finding.ok("settings", "a\x1b[2J\n\x7f\u202ecaf\u00e9\ud800")]))
    assert line == "ok    settings  a\\x1b[2J\\n\\x7f\\u202ecaf\\xe9\\ud800\n"


def test_the_json_document_has_the_result_and_each_check() -> None:
    assert json.loads(as_json(FINDINGS)) == {
        "ok": False,
        "checks": [
            {"name": "settings", "status": "ok", "detail": "all are valid", "advice": None},
            {"name": "key-set", "status": "failed", "detail": "nobody listens", "advice": "start it"},
            {"name": "keys", "status": "skipped", "detail": "not checked: no key set", "advice": None},
            {"name": "key-set-origin", "status": "note", "detail": "another host", "advice": "look twice"},
        ],
    }
    assert json.loads(as_json(FINDINGS[:1]))["ok"] is True
