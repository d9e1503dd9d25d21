"""Whether the process lives, and whether it can do its work."""

from typing import Any

from litestar import Controller, Request, get

from adapters.http.injection import FromDishka, inject
from adapters.http.problems import NotReady
from adapters.http.schemas import Health, Readiness
from application.readiness import CheckReadiness


class Operations(Controller):
    """For load balancers and operators; no token needed, and none is of use."""

    @get("/health", operation_id="health")
    async def health(self) -> Health:
        """Say that the process answers."""
        return Health()

    @get("/livez", operation_id="livez")
    async def livez(self) -> Health:
        """Say that the process answers; whatever it depends on has no say here."""
        return Health()

    @get("/readyz", operation_id="readyz")
    @inject
    async def readyz(
        self,
        request: "Request[Any, Any, Any]",  # noqa: ARG002  (where inject finds the container)
        check_readiness: FromDishka[CheckReadiness],
    ) -> Readiness:
        """Say whether requests can be served now, and what is missing where not."""
        checks = await check_readiness()
        missing = {name: problem for name, problem in checks.items() if problem is not None}
        if missing:
            raise NotReady(missing)
        return Readiness("ready", dict.fromkeys(checks, "ok"))
