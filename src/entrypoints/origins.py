"""Origins of web pages (RFC 6454): their one spelling, and the doctor's check of CORS."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from adapters.sql.address import shown
from application.health import Finding, quoted

_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_LOOPBACK: Final = ("//localhost", "//127.0.0.1", "//[::1]")

CORS: Final = "cors"
"""The check's name."""


def is_origin(value: str) -> bool:
    """Whether this is an origin exactly as browsers send it."""
    return _ORIGIN.fullmatch(value) is not None and origin_of(value) == value


def origin_of(url: str) -> str:
    """Return the URL's origin in its normal form: lower case, no default port (RFC 6454 §6.2)."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in {None, default} else "")


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_origin(origin: str, allowed: tuple[str, ...]) -> Finding:
    """Check whether CORS allows an origin, and how it is spelled: browsers use one spelling, compared byte by byte."""
    if origin in allowed:
        return Finding.ok(CORS, f"requests from {quoted(origin)} are allowed")
    if (normal := _normal_origin(origin)) is None:
        return Finding.failed(CORS, *_no_origin(origin))
    if normal != origin:
        return _misspelled(origin, normal, allowed)
    return Finding.failed(
        CORS,
        f"requests from {quoted(origin)} are not allowed; allowed: {', '.join(allowed)}{_similar(origin, allowed)}",
        f"add it to EVO_TODO_CORS_ORIGINS: {','.join((*allowed, origin))}",
    )


def _normal_origin(origin: str) -> str | None:
    try:
        normal = origin_of(origin)
        return normal if is_origin(normal) and urlsplit(origin).hostname else None
    except (KeyError, ValueError):
        return None


def _quoted(origin: str) -> str:
    """Quote an origin that may hold a password by mistake: then its scheme only."""
    return quoted(shown(origin) if "@" in origin else origin)


def _no_origin(origin: str) -> tuple[str, str]:
    if origin == "null":
        return "null is what browsers send for pages from a file or a sandbox", "open the page over http or https"
    if not origin.isascii():
        return (
            f"{_quoted(origin)} is not an origin as browsers send it: its host contains non-ASCII characters",
            "write the host in Punycode (xn--...), here and in EVO_TODO_CORS_ORIGINS",
        )
    return (
        f"{_quoted(origin)} is not an origin: an origin begins with http:// or https:// and names one host",
        "copy --origin from the browser's developer tools, such as https://app.example.com",
    )


def _misspelled(origin: str, normal: str, allowed: tuple[str, ...]) -> Finding:
    detail = (
        f"{_quoted(origin)} is not an origin as browsers send it: {', '.join(_mistakes(origin))}; "
        f"they send {quoted(normal)}, which is"
    )
    if normal in allowed:
        return Finding.note(CORS, f"{detail} allowed", f"write {quoted(normal)} wherever an origin is configured")
    return Finding.failed(
        CORS, f"{detail} not allowed", f"add {quoted(normal)}, without the rest, to EVO_TODO_CORS_ORIGINS"
    )


def _mistakes(origin: str) -> Iterator[str]:
    parts = urlsplit(origin)
    before_path = origin[: len(origin) - len(parts._replace(scheme="", netloc="").geturl())]
    mistakes = {
        "it has a slash at the end": parts.path == "/",
        "it has a path": parts.path not in {"", "/"},
        "it has a query or a fragment": parts.query or parts.fragment,
        "it has a user name or a password": "@" in parts.netloc,
        f"it has the default port :{parts.port}": parts.port == {"http": 80, "https": 443}[parts.scheme],
        "it has upper-case letters": before_path != before_path.lower(),
        "it has white space": any(character.isspace() for character in origin),
    }
    yield from (mistake for mistake, is_made in mistakes.items() if is_made)


def _similar(origin: str, allowed: tuple[str, ...]) -> str:
    for other in allowed:
        if other != origin and _on_localhost(other) == _on_localhost(origin):
            return f" (browsers treat {quoted(other)} as another origin)"
        if other.partition("://")[2] == origin.partition("://")[2]:
            return " (http and https are different origins)"
    return ""


def _on_localhost(origin: str) -> str:
    for host in _LOOPBACK:
        origin = origin.replace(host, _LOOPBACK[0])
    return origin
