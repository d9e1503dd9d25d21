"""What the settings of limits and proxies take; each raises ValueError with words on what that is."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from domain.rate_limit import RateLimit

Network = IPv4Network | IPv6Network


def address_limit(text: str) -> RateLimit | None:
    """A limit, by the name that the addresses' one has on the wire."""
    return RateLimit.parse(text, policy="address")


def limits_store(text: str) -> str | None:
    """Where the counters are; `None`: in memory."""
    if text == "memory":
        return None
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError where it is no port
    if not re.fullmatch(r"(redis|valkey)s?", parts.scheme) or not parts.hostname:
        raise ValueError("takes memory, or redis://:password@host:6379/0, or the same with rediss, valkey or valkeys")
    if not re.fullmatch(r"(/[0-9]*)?", parts.path) or parts.query or parts.fragment:
        raise ValueError("takes nothing behind the host but a database's number, such as redis://host/0")
    return text


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, or none."""
    try:
        return tuple(ip_network(entry.strip(), strict=False) for entry in text.split(",") if entry.strip())
    except ValueError as error:
        raise ValueError("takes addresses and networks, separated by commas, such as 10.0.0.0/8,::1") from error
