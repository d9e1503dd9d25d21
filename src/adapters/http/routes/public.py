"""The calls that need no token: the issuer's security events (RFC 8935), probes, metrics and the documentation."""

import re
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from adapters.http.auth import count_refusal
from adapters.http.context import RequestContext
from adapters.http.openapi.document import document_json
from adapters.http.openapi.html import PAGE_POLICY, page
from adapters.http.problems import NotReady
from adapters.http.request import JSON, Body
from adapters.http.responses import Response, json_response
from adapters.http.routing import Operation, Route, Services, route
from adapters.http.schemas import DeliveryProblem, Health, Readiness
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


async def _respond(_: Services, __: RequestContext, ___: None) -> Response:
    """Say that the process responds, whatever the state of its dependencies."""
    return json_response(Health())


def _sign_of_life(path: str, summary: str) -> Route:
    name = path.removeprefix("/")
    example = {"status": "ok"}
    operation = Operation(
        id=name, summary=summary, result="It does.", response=Health, example=example, tag="operations"
    )
    return route("GET", path, operation)(_respond)


health = _sign_of_life("/health", "Say that the process responds.")
livez = _sign_of_life("/livez", "Say that the process responds, for a load balancer.")


@route(
    "GET",
    "/readyz",
    Operation(
        id="readyz",
        summary="Say whether requests can be served now, and what is missing where not.",
        result="They can.",
        response=Readiness,
        example={"status": "ready", "checks": {"database": "ok", "keys": "ok"}},
        errors=(HTTPStatus.SERVICE_UNAVAILABLE,),
        tag="operations",
    ),
)
async def readyz(services: Services, _: RequestContext, __: None) -> Response:
    """Check every dependency. Raises NotReady when one is missing."""
    checks = await services.check_readiness()
    missing = {name: problem for name, problem in checks.items() if problem is not None}
    if missing:
        raise NotReady(missing)
    notes = {name: problem or "ok" for name, problem in (await services.check_readiness.notes()).items()}
    return json_response(Readiness("ready", dict.fromkeys(checks, "ok") | notes))


@route("GET", "/metrics")
async def metrics(services: Services, _: RequestContext, __: None) -> Response:
    """This worker's metrics, in Prometheus's text format."""
    return _document(generate_latest(services.metrics.registry), CONTENT_TYPE_LATEST)


@route("GET", "/")
async def root(_: Services, request: RequestContext, __: None) -> Response:
    """Redirect to the documentation."""
    return Response(307, [(b"location", f"{request.root_path}/docs".encode()), (b"content-length", b"0")])


@route("GET", "/openapi.json")
async def openapi(services: Services, request: RequestContext, _: None) -> Response:
    """The OpenAPI document."""
    return _revalidated(request, document_json(services.routes, request.root_path), JSON)


@route("GET", "/docs")
async def docs(services: Services, request: RequestContext, _: None) -> Response:
    """The OpenAPI document as a page."""
    policy = (b"content-security-policy", PAGE_POLICY.encode())
    body = page(services.routes, request.root_path).encode()
    return _revalidated(request, body, "text/html; charset=utf-8", policy)


def _revalidated(request: RequestContext, body: bytes, media_type: str, *headers: tuple[bytes, bytes]) -> Response:
    """A document with its entity tag, or 304 for a client that has it (RFC 9110 §13.1.2).

    A 304 has the same headers: the client replaces those of its copy by them (RFC 9111 §3.2).
    """
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    own = [(b"cache-control", b"no-cache"), (b"etag", tag.encode()), *headers]
    known = request.headers.get(b"if-none-match") or ""
    if known.strip() == "*" or tag in re.findall(r'"[^"]*"', known):
        return Response(304, own)
    return _document(body, media_type, *own)


def _document(body: bytes, media_type: str, *headers: tuple[bytes, bytes]) -> Response:
    own = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body)), *headers]
    return Response(200, own, body)


ROUTES: Final = (receive_security_event, health, livez, readyz, metrics, root, openapi, docs)
