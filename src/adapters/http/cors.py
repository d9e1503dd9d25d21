"""Cross-origin requests, by exact origins (the Fetch standard, §3.2)."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS: Final = b"Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id"
_EXPOSED: Final = b"ETag, Location, Link, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"
_PREFLIGHT_SECONDS: Final = b"600"


@frozen
class Cors:
    """Which pages may read the answers.

    Litestar's own takes every OPTIONS with an Origin for a preflight, and overwrites `Vary`.
    """

    origins: frozenset[bytes]

    @classmethod
    def of(cls, origins: tuple[str, ...]) -> "Cors":
        """Allow these origins: scheme, host and port, to the letter."""
        return cls(frozenset(origin.encode() for origin in origins))

    def headers(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """What every answer to a request from there carries."""
        if origin is None or origin not in self.origins:
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    @staticmethod
    def is_preflight(fields: Mapping[bytes, bytes]) -> bool:
        """Whether a browser asks for leave, by OPTIONS with an origin and the method it has in mind."""
        return b"origin" in fields and b"access-control-request-method" in fields

    def preflight_headers(self, fields: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """The answer to a preflight, beside what every answer carries; nothing for a stranger."""
        if fields.get(b"origin") not in self.origins:
            return []
        return [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
