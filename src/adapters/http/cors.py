"""Cross-origin requests, by exact origins (the Fetch standard, §3.2)."""

from typing import Final

from attrs import frozen

from adapters.http.context import Headers

_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS: Final = (
    b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, X-Request-Id"
)
_EXPOSED: Final = b"ETag, Location, Link, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, X-Request-Id"
_PREFLIGHT_SECONDS: Final = b"600"


@frozen
class Cors:
    """The origins whose pages may read responses.

    Litestar's own CORS takes every OPTIONS with an Origin for a preflight, and overwrites `Vary`.
    """

    origins: frozenset[bytes]

    @classmethod
    def of(cls, origins: tuple[str, ...]) -> "Cors":
        """Allow exactly these origins: scheme, host and port."""
        return cls(frozenset(origin.encode() for origin in origins))

    def headers(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        """The CORS headers of every response to a request from that origin."""
        if origin not in self.origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    @staticmethod
    def is_preflight(headers: Headers) -> bool:
        """Whether an OPTIONS request is a preflight: it has an origin and the method that the browser wants to use."""
        return headers.first(b"origin") is not None and headers.first(b"access-control-request-method") is not None

    def preflight_headers(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """What the response to a preflight has beside the common headers; nothing for an origin not allowed."""
        if headers.first(b"origin") not in self.origins:
            return []
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
