"""Whether the service can do its work now, and what is missing where it can't."""

import asyncio

from attrs import frozen

from application.ports import ReadinessCheck


@frozen
class CheckReadiness:
    """Ask everything the service depends on."""

    checks: tuple[ReadinessCheck, ...]

    async def __call__(self) -> dict[str, str | None]:
        """For each check its problem, or `None` where all is well."""
        problems = await asyncio.gather(*(check.problem() for check in self.checks))
        return {check.name: problem for check, problem in zip(self.checks, problems, strict=True)}
