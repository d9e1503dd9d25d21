"""Where the issuer pushes its security events to (RFC 8935)."""

from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, post
from litestar.exceptions import ClientException
from msgspec import Struct

from adapters.http.context import origin_of
from adapters.http.injection import FromDishka, inject
from adapters.http.rate_limits import tell_allowance
from application.access import EnforceRateLimits
from application.security_events import ReceiveSecurityEvent
from domain.errors import InvalidSecurityEvent

SECURITY_EVENT: Final = "application/secevent+jwt"


class DeliveryProblem(Struct, frozen=True):
    """Why an event was not taken (RFC 8935 §2.3)."""

    err: str
    description: str


def _refusal(_: "Request[Any, Any, Any]", error: InvalidSecurityEvent) -> Response[bytes]:
    body = msgspec.json.encode(DeliveryProblem(error.code, error.reason))
    return Response(body, status_code=400, media_type="application/json", headers={"Content-Language": "en"})


class SecurityEvents(Controller):
    """No token is needed: the event's signature proves whose word it is."""

    path = "/api/security-events"
    exception_handlers = {InvalidSecurityEvent: _refusal}  # noqa: RUF012  (Litestar declares it so)

    @post("/", operation_id="receiveSecurityEvent", status_code=202)
    @inject
    async def receive(
        self,
        request: "Request[Any, Any, Any]",
        receive_security_event: FromDishka[ReceiveSecurityEvent],
        enforce_rate_limits: FromDishka[EnforceRateLimits],
    ) -> Response[bytes]:
        """Take a Security Event Token, and do what it says before answering; what is refused counts for its address."""
        media_type, _ = request.content_type
        encoding = request.headers.get("Content-Encoding", "identity").lower()
        if media_type.lower() != SECURITY_EVENT or encoding != "identity":
            raise ClientException(
                status_code=415, detail=f"Send one Security Event Token as {SECURITY_EVENT}, without an encoding."
            )
        body = await request.body()
        origin = origin_of(request.scope)
        try:
            # Whatever is no ASCII is no token either, and is refused as one.
            await receive_security_event(body.decode("latin-1"), origin)
        except InvalidSecurityEvent:
            tell_allowance(request.scope, await enforce_rate_limits.for_address(origin))
            raise
        return Response(b"", status_code=202, media_type="text/plain")
