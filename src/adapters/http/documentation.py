"""The API's description: for programs as OpenAPI, for people as a page that needs nothing from elsewhere."""

from litestar import Controller, MediaType, Response, get
from litestar.response import Redirect

from adapters.http.openapi import document_json
from adapters.http.page import PAGE_POLICY, page


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
