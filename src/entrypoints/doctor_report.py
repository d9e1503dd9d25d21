"""The doctor's report, as text and as JSON."""

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
    """Format the findings as one line each: mark, name of the check, detail, and advice after an arrow."""
    longest = max(len(finding.name) for finding in findings)
    return "".join(f"{_line(finding, longest)}\n" for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Format the findings as one JSON document: whether no check failed, and each finding."""
    checks = [
        {"name": one.name, "status": one.status.value, "detail": one.detail, "advice": one.advice} for one in findings
    ]
    return json.dumps({"ok": all_passed(findings), "checks": checks}, indent=2) + "\n"


def _line(finding: Finding, longest: int) -> str:
    mark, colour = _MARKS[finding.status]
    advice = f" -> {finding.advice}" if finding.advice else ""
    text = _escaped(f"{finding.name:{longest}}  {finding.detail}{advice}")
    return f"{click.style(f'{mark:{_WIDTH}}', fg=colour)}  {text}"


def _escaped(text: str) -> str:
    """Escape everything but printable ASCII, so that the text fits on one line and cannot control the terminal."""
    return re.sub(r"[^ -~]", lambda character: ascii(character[0])[1:-1], text)
