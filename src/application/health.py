"""Whether the service can do its work now, and what is missing where it can't."""

import asyncio
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen

from application.ports import ReadinessCheck


@frozen
class CheckReadiness:
    """Ask everything the service depends on."""

    checks: tuple[ReadinessCheck, ...]

    async def __call__(self) -> dict[str, str | None]:
        """For each check its problem, or `None` where all is well."""
        problems = await asyncio.gather(*(check.problem() for check in self.checks))
        return {check.name: problem for check, problem in zip(self.checks, problems, strict=True)}


MAX_QUOTE_LENGTH: Final = 80
"""Characters of a foreign text that are repeated at most."""


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but it may not be what was meant."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not judged, because what it builds on is not there."""


def _needs_advice(finding: "Finding", _: Any, advice: str | None) -> None:
    if finding.status in {Status.FAILED, Status.NOTE} and not advice:
        raise ValueError(f"{finding.name}: whoever reads that something is not well is told what to do")


@frozen
class Finding:
    """One check's outcome.

    Raises:
        ValueError: it is not well, and comes without advice.
    """

    name: str
    """In kebab-case; it stays the same from version to version."""
    status: Status
    detail: str
    advice: str | None = field(default=None, validator=_needs_advice)

    @classmethod
    def ok(cls, name: str, detail: str) -> "Finding":
        """All is well."""
        return cls(name, Status.OK, detail)

    @classmethod
    def note(cls, name: str, detail: str, advice: str) -> "Finding":
        """Nothing is wrong, but look twice."""
        return cls(name, Status.NOTE, detail, advice)

    @classmethod
    def failed(cls, name: str, detail: str, advice: str) -> "Finding":
        """Something is wrong."""
        return cls(name, Status.FAILED, detail, advice)

    @classmethod
    def skipped(cls, name: str, why: str, advice: str | None = None) -> "Finding":
        """It could not be looked at."""
        return cls(name, Status.SKIPPED, f"not judged: {why}", advice)


def all_passed(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    return not any(finding.status is Status.FAILED for finding in findings)


def quoted(text: str) -> str:
    """A foreign text as one may show it on a terminal: ASCII, no control characters, not long."""
    cut = text[:MAX_QUOTE_LENGTH]
    inside = ascii(cut)[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inside}"' + (f" (cut: it has {len(text)} characters)" if cut != text else "")
