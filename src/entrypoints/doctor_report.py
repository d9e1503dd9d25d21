"""What the doctor found, for people and for programs."""

import json
import re
from collections.abc import Sequence
from typing import Final

import click

from application.health import Finding, Status, all_passed

_MARKS: Final = {
    Status.OK: ("ok", "green"),
    Status.NOTE: ("note", "yellow"),
    Status.FAILED: ("FAIL", "red"),
    Status.SKIPPED: ("--", None),
}
_WIDTH: Final = max(len(mark) for mark, _ in _MARKS.values())


def as_text(findings: Sequence[Finding]) -> str:
    """One line a check: a mark, the check's name, what was found, and after an arrow what to do."""
    longest = max(len(finding.name) for finding in findings)
    return "".join(f"{_line(finding, longest)}\n" for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """One document that says whether all is well, and each check."""
    checks = [
        {"name": one.name, "status": one.status.value, "detail": one.detail, "advice": one.advice} for one in findings
    ]
    return json.dumps({"ok": all_passed(findings), "checks": checks}, indent=2) + "\n"


def _line(finding: Finding, longest: int) -> str:
    mark, colour = _MARKS[finding.status]
    advice = f" -> {finding.advice}" if finding.advice else ""
    told = _in_ascii(f"{finding.name:{longest}}  {finding.detail}{advice}")
    return f"{click.style(f'{mark:{_WIDTH}}', fg=colour)}  {told}"


def _in_ascii(text: str) -> str:
    """The text on one line, and without anything that a terminal obeys or can't show."""
    return re.sub(r"[^ -~]", lambda character: ascii(character[0])[1:-1], text)
