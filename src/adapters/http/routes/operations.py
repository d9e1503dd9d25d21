"""Whether the process lives, and whether it can do its work."""

from typing import Any

from litestar import Controller, MediaType, Request, Response, get
from litestar.response import Redirect

from adapters.http.injection import FromDishka, inject
from adapters.http.openapi.document import document_json
from adapters.http.openapi.html import PAGE_POLICY, page
from adapters.http.problems import NotReady
from adapters.http.schemas import Health, Readiness
from application.health import CheckReadiness


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


class Documentation(Controller):
    """Open to everybody, as the code is."""

    include_in_schema = False

    @get("/", status_code=307)
    async def root(self) -> Redirect:
        """Lead whoever opens the bare address to the page."""
        return Redirect("/docs", status_code=307)

    @get("/openapi.json")
    async def openapi(self) -> Response[bytes]:
        """The OpenAPI document."""
        return Response(document_json(), media_type=MediaType.JSON, headers={"Cache-Control": "no-cache"})

    @get("/docs")
    async def docs(self) -> Response[str]:
        """The page."""
        return Response(
            page(),
            media_type=MediaType.HTML,
            headers={"Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY},
        )
