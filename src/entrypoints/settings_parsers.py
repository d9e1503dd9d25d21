"""Parsers of setting values, which raise ValueError with a message that names the accepted values."""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final
from urllib.parse import urlsplit

from adapters.sql.address import HOST, PASSWORD, USER, DatabaseAddress, has_ports, shown
from domain.rate_limit import RateLimit
from entrypoints.origins import is_origin

Network = IPv4Network | IPv6Network

_STORE: Final = re.compile(
    rf"(?:redis|valkey)s?://(?:(?:{USER})(?::(?:{PASSWORD}))?@)?(?P<host>{HOST})(?P<rest>[/?#].*)?", re.ASCII
)
_MAX_LEEWAY: Final = 60
MAPPED_PREFIX: Final = 96
"""Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2)."""


def text(value: str) -> str:
    """Any text that is not empty."""
    if not value:
        raise ValueError("must not be empty")
    return value


def boolean(value: str) -> bool:
    """`true` or `false`."""
    if value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value == "true"


def switch(value: str) -> bool:
    """`on` or `off`."""
    if value not in {"on", "off"}:
        raise ValueError("must be on or off")
    return value == "on"


def seconds(value: str) -> float:
    """A number of seconds above 0."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) or float(value) == 0:
        raise ValueError("must be a number of seconds above 0, such as 30")
    return float(value)


def leeway(value: str) -> float:
    """A number of seconds from 0 to 60."""
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?", value) or not 0 <= float(value) <= _MAX_LEEWAY:
        raise ValueError(f"must be a number of seconds from 0 to {_MAX_LEEWAY}")
    return float(value)


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a parser of whole numbers in that range."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not minimum <= int(value) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(value)

    return parse


def max_tasks(value: str) -> int | None:
    """How many tasks a list may have; `None`: any number."""
    if value == "off":
        return None
    try:
        return whole_number(1, 999_999_999)(value)
    except ValueError as error:
        raise ValueError(f"{error}, or off") from error


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser of these words."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return value

    return parse


def role(value: str) -> str:
    """The name of a PostgreSQL role that needs no quoting."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value) or value.startswith("pg_"):
        raise ValueError(
            "must be a role name: at most 63 lower-case letters, digits and underscores, such as evo_todo_app"
        )
    return value


def password(value: str) -> str:
    """A password that every client encodes alike: other characters would have to be normalized (RFC 4013)."""
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError("must be printable ASCII characters")
    return value


def database_url(value: str) -> str:
    """The URL of a PostgreSQL database or an SQLite file."""
    DatabaseAddress.parse(value)
    return value


def postgresql_url(value: str) -> str:
    """The URL of a PostgreSQL database."""
    if DatabaseAddress.parse(value).is_sqlite:
        raise ValueError("must be a PostgreSQL address, such as postgresql://user:password@host:5432/name")
    return value


def url(value: str) -> str:
    """An absolute HTTP URL without credentials or fragment."""
    if "@" in value:  # wherever it is: a misspelt password may hold a slash or a question mark
        raise ValueError("must be a URL without a user name or password; elsewhere, @ is written %40")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # its message may quote a password
        raise ValueError("must be an http or https URL, such as https://app.example.com. Port: 1 to 65535") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError("must be an http or https URL, such as https://app.example.com")
    return value


def base_url(value: str) -> str:
    """An absolute HTTP URL that paths can be appended to."""
    if urlsplit(url(value)).query:
        raise ValueError("must be a URL without a query, such as https://app.example.com")
    return value.rstrip("/")


def root_path(value: str) -> str:
    """The prefix of paths, without a slash at its end; may be empty."""
    path = value.rstrip("/")
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII):
        raise ValueError("must be the path under which a proxy serves the API, such as /todo")
    return path


def scope(value: str) -> str:
    """The name of one scope (RFC 6749 §3.3)."""
    if not re.fullmatch(r"[!#-\[\]-~]{1,255}", value):
        raise ValueError("must be the name of one scope, such as tasks: no spaces, quotes or backslashes")
    return value


def origins(value: str) -> tuple[str, ...]:
    """Comma-separated origins."""
    parsed = tuple(origin.strip() for origin in value.split(","))
    if not all(is_origin(origin) for origin in parsed):
        raise ValueError(
            "must be exact origins as browsers send them, separated by commas, such as https://app.example.com "
            "(no path, no default port, no *)"
        )
    return parsed


def address_limit(value: str) -> RateLimit | None:
    """A rate limit with the policy name of the limit per address; `None`: off."""
    return RateLimit.parse(value, policy="address")


def limits_store(value: str) -> str | None:
    """The URL of the shared store of the counters; `None`: in memory."""
    if value == "memory":
        return None
    found = _STORE.fullmatch(value)
    if found is None or not value.isprintable() or not has_ports(found["host"]):
        raise ValueError(
            "must be memory, or a URL such as redis://:password@host:6379/0 (or rediss, valkey, valkeys). Port: 1 to"
            " 65535. Percent-encode the password, all but its letters and digits"
        )
    if not re.fullmatch(r"(/[0-9]*)?", found["rest"] or ""):
        raise ValueError("must have nothing after the host but a database number, such as redis://host/0")
    return value


def networks(value: str) -> tuple[Network, ...]:
    """Comma-separated addresses and networks; may be empty."""
    try:
        return tuple(_network(entry.strip()) for entry in value.split(",") if entry.strip())
    except ValueError:
        raise ValueError("must be addresses and networks, separated by commas, such as 10.0.0.0/8,::1") from None


def _network(entry: str) -> Network:
    """A network in the form in which addresses are compared: IPv4-mapped IPv6 is IPv4."""
    network = ip_network(entry, strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_PREFIX:
        mapped = network.network_address.ipv4_mapped
        return network if mapped is None else IPv4Network((mapped, network.prefixlen - MAPPED_PREFIX))
    return network


_WITH_PASSWORD: Final = re.compile(r"DATABASE_URL|EVO_TODO_(\w+_)?(STORE|PASSWORD|SECRET|LISTEN_URL|READ_URL)")
"""Settings whose value may be, or contain, a password."""
_NOT_A_PORT: Final = re.compile(r":(?!//|[0-9]+(/|$))")
_SECRET_PARAMETER: Final = re.compile(
    r"([^=&?;\s]*(?:pass|pwd|secret|token|key|auth|sig|cred)[^=&?;\s]*=)[^&;\s]*", re.IGNORECASE
)


def shown_value(name: str, value: str) -> str:
    """What a message may show of a value: nothing that can be a part of a password, however it is misspelt."""
    may_have_password = "@" in value or (name.endswith("_URL") and _NOT_A_PORT.search(value))
    if may_have_password or _WITH_PASSWORD.fullmatch(name):
        return shown(value)
    return _SECRET_PARAMETER.sub(r"\1…", value)
