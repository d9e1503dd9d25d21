"""Where the issuer delivers its security events (RFC 8935)."""

from http import HTTPStatus
from typing import Final

from adapters.http.auth import count_refusal
from adapters.http.context import RequestContext
from adapters.http.request import Body
from adapters.http.responses import Response, json_response
from adapters.http.routing import Operation, Services, route
from adapters.http.schemas import DeliveryProblem
from domain.errors import InvalidSecurityEvent

SECURITY_EVENT: Final = "application/secevent+jwt"


@route(
    "POST",
    "/api/security-events",
    Operation(
        id="receiveSecurityEvent",
        summary="Receive a Security Event Token (RFC 8417) from the issuer: session-revoked or account-purged.",
        status=HTTPStatus.ACCEPTED,
        result="The event has taken effect.",
        errors=tuple(map(HTTPStatus, (413, 415, 429, 503))),
        refusal=DeliveryProblem,
        tag="security events",
    ),
    body=Body(str, "eyJhbGciOiJFZERTQSIs….eyJpc3MiOiJodHRwczov….c2lnbmF0dXJl…", media_types=(SECURITY_EVENT,)),
)
async def receive_security_event(services: Services, request: RequestContext, event: str) -> Response:
    """Do what the event says, then respond. No token is needed: the event's signature proves who sent it."""
    try:
        client = services.enforce_rate_limits.client(request.audit)
        await services.receive_security_event(event, request.audit, client.identity)
    except InvalidSecurityEvent as error:
        await services.refusal_pacing.wait()
        await count_refusal(services, request)
        refusal = DeliveryProblem(error.code, error.reason)
        return json_response(refusal, status=400, headers=[(b"content-language", b"en")])
    return Response(202, [(b"content-length", b"0")])


ROUTES: Final = (receive_security_event,)
