"""Health of the service: readiness of its dependencies, and the findings of a diagnosis."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NewType, Protocol, Self

from attrs import field, frozen


class ReadinessCheck(Protocol):
    """Checks a dependency that the service cannot work without."""

    @property
    def name(self) -> str:
        """A short name of the dependency."""

    async def problem(self) -> str | None:
        """Return what is wrong and how to fix it, or `None` if the dependency is ready."""


@frozen
class CheckReadiness:
    """Check all dependencies of the service."""

    checks: tuple[ReadinessCheck, ...]
    helpers: tuple[ReadinessCheck, ...] = ()
    """Of what makes the service faster, and what it can do without."""

    async def __call__(self) -> dict[str, str | None]:
        """Return each check's problem by its name; `None` means ready."""
        return await _problems(self.checks)

    async def notes(self) -> dict[str, str | None]:
        """Return each helper's problem by its name; the service is ready nevertheless."""
        return await _problems(self.helpers)


async def _problems(checks: tuple[ReadinessCheck, ...]) -> dict[str, str | None]:
    problems = await asyncio.gather(*(check.problem() for check in checks))
    return {check.name: problem for check, problem in zip(checks, problems, strict=True)}


Labels = tuple[str, ...]


@frozen
class Measurement:
    """A number for operators, read when it is asked for: it costs nothing until then."""

    name: str
    help: str
    read: Callable[[], float | Mapping[Labels, float]]
    """The number, or one for each combination of label values."""
    labels: Labels = ()
    """The names of the labels."""
    is_total: bool = False
    """Whether it only grows, from 0 at the start of the process."""


Measurements = NewType("Measurements", tuple[Measurement, ...])


class Status(StrEnum):
    """The result of a diagnostic check."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but it may not be intended."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not checked, because a prerequisite is missing."""


def _requires_advice(finding: "Finding", _: Any, advice: str | None) -> None:
    if finding.status in {Status.FAILED, Status.NOTE} and not advice:
        raise ValueError(f"{finding.name}: a finding that is not ok needs advice")


@frozen
class Finding:
    """The finding of one diagnostic check.

    Raises:
        ValueError: a failed check or a note has no advice.
    """

    name: str
    """The check's name in kebab-case; stable between versions."""
    status: Status
    detail: str
    advice: str | None = field(default=None, validator=_requires_advice)

    @classmethod
    def ok(cls, name: str, detail: str) -> Self:
        """Nothing is wrong."""
        return cls(name, Status.OK, detail)

    @classmethod
    def note(cls, name: str, detail: str, advice: str) -> Self:
        """Nothing is wrong, but it may not be intended."""
        return cls(name, Status.NOTE, detail, advice)

    @classmethod
    def failed(cls, name: str, detail: str, advice: str) -> Self:
        """Something is wrong; the advice says how to fix it."""
        return cls(name, Status.FAILED, detail, advice)

    @classmethod
    def skipped(cls, name: str, why: str, advice: str | None = None) -> Self:
        """The check could not be made."""
        return cls(name, Status.SKIPPED, f"not checked: {why}", advice)


def all_passed(findings: Iterable[Finding]) -> bool:
    """Whether no check has failed."""
    return not any(finding.status is Status.FAILED for finding in findings)


MAX_QUOTE_LENGTH: Final = 80
"""Characters of untrusted text that are quoted."""


def quoted(text: str) -> str:
    """Quote untrusted text for a terminal: ASCII, control characters escaped, truncated."""
    cut = text[:MAX_QUOTE_LENGTH]
    inside = ascii(cut)[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inside}"' + (f" (cut: it has {len(text)} characters)" if cut != text else "")
