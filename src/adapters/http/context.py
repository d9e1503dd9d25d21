"""What one request carries through the layers: its id, headers, client address, principal and rate-limit status."""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from os import urandom
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import Factory, define, field, frozen

from domain.audit import AuditContext
from domain.identity import Address, Principal, parse_address
from domain.rate_limit import RateLimitStatus

if TYPE_CHECKING:  # the commands, which log too, do without Litestar
    from litestar.types import ASGIApp, HTTPScope

Network = IPv4Network | IPv6Network

MAX_CACHED: Final = 1024
"""Pairs of peer and X-Forwarded-For whose client address is cached."""

MAX_FORWARDED_BYTES: Final = 1024
"""Bytes of X-Forwarded-For that are read, from its right end: more proxies than any deployment has."""

MAX_PORT: Final = 65535

_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[^\[\]]*:[^\[\]]*)\]|(?P<v4>[0-9.]+)(?=:))(?::(?P<port>[0-9]{1,5}))?")
"""An address with a port, an IPv6 address in brackets, or both (RFC 3986 §3.2.2, RFC 7239 §6)."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@define
class Headers:
    """The header fields of a request, looked up by their lower-case names."""

    lines: Sequence[tuple[bytes, bytes]]
    unique: dict[bytes, bytes] | None
    """Every field by its name; `None` when some name occurs more than once."""

    @classmethod
    def parse(cls, lines: Sequence[tuple[bytes, bytes]]) -> Self:
        """Index the fields as ASGI hands them over."""
        fields = dict(lines)
        return cls(lines, fields if len(fields) == len(lines) else None)

    def getlist(self, name: bytes) -> list[bytes]:
        """The values of every line of that name, in order."""
        if self.unique is None:
            return [value for key, value in self.lines if key == name]
        return [self.unique[name]] if name in self.unique else []

    def get(self, name: bytes) -> str | None:
        """The field's value, its lines joined by commas (RFC 9110 §5.3); `None` when it is absent."""
        if self.unique is not None:
            value = self.unique.get(name)
        else:
            value = b", ".join(values) if (values := self.getlist(name)) else None
        return None if value is None else value.decode("latin-1")

    def first(self, name: bytes) -> bytes | None:
        """The value of the first line of that name."""
        if self.unique is not None:
            return self.unique.get(name)
        return next((value for key, value in self.lines if key == name), None)


NO_HEADERS: Final = Headers((), {})


@define(eq=False, repr=False)
class RequestContext:
    """Everything that is known about one request; the checks of `front` fill it in."""

    request_id: str
    headers: Headers
    path: str
    """Percent-decoded, as the router reads it."""
    raw_path: str
    query_string: bytes
    audit: AuditContext
    """What use cases and the audit log know of the request."""
    root_path: str = ""
    """The prefix under which a proxy serves this API: in every path that clients are given."""
    route: str = "-"
    """The route's template, for metrics and the access log: a path would name a person."""
    user_id: str = ""
    task_id: str = ""
    """Path parameters."""
    stream: "ASGIApp | None" = None
    """The response, where it goes on for long: `front` sends it, so that nothing of the router is kept meanwhile."""
    answered_at: float | None = None
    """When it began, by the performance counter."""
    content: bytes = b""
    """The body as it was received, once it was read."""
    rate_limit: RateLimitStatus | None = None
    principal: Principal = field(init=False)
    """Who asks, on every route that needs a token; unset on public ones."""


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)
"""The request that the running task serves: for log lines, and for handlers that Litestar calls."""


current_trace_id: ContextVar[str | None] = ContextVar("current_trace_id", default=None)
"""The trace that the running task belongs to, for log lines (W3C Trace Context §3.2.2.3); unset without tracing."""


def current_request_id() -> str | None:
    """The id of the request that is being served, if any."""
    context = current_request.get()
    return None if context is None else context.request_id


@frozen
class TrustedProxies:
    """The addresses whose X-Forwarded-For is believed; the header of any other peer is ignored."""

    networks: tuple[Network, ...] = ()
    _resolve: Any = field(
        init=False, default=Factory(lambda self: lru_cache(MAX_CACHED)(self._read), takes_self=True), eq=False
    )

    def client_address(self, scope: "HTTPScope", headers: Headers) -> str | None:
        """The client's address, IPv4-mapped IPv6 as IPv4; `None` where a socket has none."""
        client = scope.get("client")
        if not client or not client[0]:
            return None
        forwarded = b""
        if self.networks:
            forwarded = b",".join(headers.getlist(b"x-forwarded-for"))
            if len(forwarded) > MAX_FORWARDED_BYTES:
                forwarded = forwarded[-MAX_FORWARDED_BYTES:].partition(b",")[2]
        address: str = self._resolve(client[0], forwarded)
        return address

    def _read(self, peer: str, forwarded: bytes) -> str:
        """Walk from the socket's peer towards the client, as long as each hop is trusted and well formed."""
        address = parse_address(peer)
        if address is None:
            return peer
        for hop in reversed(forwarded.split(b",")):
            if not self._trusts(address):
                break
            next_address = _parse_hop(hop.decode("latin-1"))
            if next_address is None:
                break
            address = next_address
        return str(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def read_context(scope: "HTTPScope", proxies: TrustedProxies, root_path: str = "") -> RequestContext:
    """The context of a request whose headers have arrived. A well-formed `X-Request-Id` is kept, else one is made."""
    headers = Headers.parse(list(scope["headers"]))
    request_id = _request_id(headers.first(b"x-request-id"))
    return RequestContext(
        request_id,
        headers,
        scope["path"],
        scope["raw_path"].decode("latin-1"),
        scope["query_string"],
        AuditContext(request_id, proxies.client_address(scope, headers)),
        root_path,
    )


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(text := given.decode("latin-1")):
        return text
    return urandom(16).hex()


def _parse_hop(entry: str) -> Address | None:
    """The address of an entry of X-Forwarded-For, as proxies write it: with or without a port, brackets and quotes."""
    text = entry.strip(" \t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip(" \t")
    if found := _WITH_PORT.fullmatch(text):
        if int(found["port"] or 0) > MAX_PORT:
            return None
        text = found["v6"] or found["v4"]
    return parse_address(text)
