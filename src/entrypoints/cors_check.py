"""Whether a page's origin may call, and what is wrong with how it is written."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from application.health import Finding, quoted
from entrypoints.settings import is_origin, origin_of

CORS: Final = "cors"
_LOOPBACK: Final = ("//localhost", "//127.0.0.1", "//[::1]")


def check_origin(origin: str, allowed: tuple[str, ...]) -> Finding:
    """Whether pages of this origin may call; browsers send it in one spelling, and it is compared to the letter."""
    if origin in allowed:
        return Finding.ok(CORS, f"pages of {quoted(origin)} may call")
    if (sent := _as_sent(origin)) is None:
        return _no_origin(origin)
    if sent != origin:
        return _misspelt(origin, sent, allowed)
    return Finding.failed(
        CORS,
        f"pages of {quoted(origin)} may not call; allowed: {', '.join(allowed)}{_near(origin, allowed)}",
        f"add it to EVO_TODO_CORS_ORIGINS: {','.join((*allowed, origin))}",
    )


def _as_sent(origin: str) -> str | None:
    try:
        sent = origin_of(origin)
        return sent if is_origin(sent) and urlsplit(origin).hostname else None
    except (KeyError, ValueError):
        return None


def _no_origin(origin: str) -> Finding:
    if origin == "null":
        return Finding.failed(
            CORS, "null is what browsers send for pages from a file or a sandbox", "open the page over http or https"
        )
    if not origin.isascii():
        return Finding.failed(
            CORS,
            f"{quoted(origin)} is no origin as browsers send it: its host has letters beyond ASCII",
            "write the host in Punycode (xn--...), here and in EVO_TODO_CORS_ORIGINS",
        )
    return Finding.failed(
        CORS,
        f"{quoted(origin)} is no origin: one begins with http:// or https:// and names one host",
        "give --origin as the browser's developer tools show it, such as https://app.example.com",
    )


def _misspelt(origin: str, sent: str, allowed: tuple[str, ...]) -> Finding:
    told = f"{quoted(origin)} is no origin as browsers send it: {', '.join(_slips(origin))}; they send {quoted(sent)}"
    if sent in allowed:
        return Finding.note(CORS, f"{told}, and that may call", f"write {quoted(sent)} wherever an origin is meant")
    return Finding.failed(
        CORS, f"{told}, and that may not call", f"add {quoted(sent)}, without the rest, to EVO_TODO_CORS_ORIGINS"
    )


def _slips(origin: str) -> Iterator[str]:
    parts = urlsplit(origin)
    before_path = origin[: len(origin) - len(parts._replace(scheme="", netloc="").geturl())]
    slips = {
        "it has a slash at the end": parts.path == "/",
        "it has a path": parts.path not in {"", "/"},
        "it has a query or a fragment": parts.query or parts.fragment,
        "it has a name or a password": "@" in parts.netloc,
        f"it has the default port :{parts.port}": parts.port == {"http": 80, "https": 443}[parts.scheme],
        "it has upper case": before_path != before_path.lower(),
        "it has white space": any(character.isspace() for character in origin),
    }
    yield from (slip for slip, has_it in slips.items() if has_it)


def _near(origin: str, allowed: tuple[str, ...]) -> str:
    for other in allowed:
        if other != origin and _on_loopback(other) == _on_loopback(origin):
            return f" ({quoted(other)} is another origin to browsers)"
        if other.partition("://")[2] == origin.partition("://")[2]:
            return " (http and https are two origins)"
    return ""


def _on_loopback(origin: str) -> str:
    for host in _LOOPBACK:
        origin = origin.replace(host, _LOOPBACK[0])
    return origin
