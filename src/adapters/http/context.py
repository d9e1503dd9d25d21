"""Who a request comes from: the socket's peer, or whom proxies of one's own say it is."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from attrs import Factory, field, frozen
from litestar.types import HTTPScope

from domain.audit import AuditContext

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_CACHED: Final = 1024
"""Pairs of peer and X-Forwarded-For whose client is known without reading them again."""

MAX_FORWARDED_BYTES: Final = 1024
"""Bytes of X-Forwarded-For that are read, from its right end: more proxies than anybody has."""


@frozen
class TrustedProxies:
    """The addresses whose X-Forwarded-For is believed; anybody else's is passed over."""

    networks: tuple[Network, ...] = ()
    _client: Any = field(
        init=False, default=Factory(lambda self: lru_cache(MAX_CACHED)(self._read), takes_self=True), eq=False
    )

    def client_of(self, scope: HTTPScope) -> str | None:
        """The client's address: an IPv4 one that is written as IPv6 as what it is; `None` where a socket has none."""
        client = scope.get("client")
        if not client or not client[0]:
            return None
        forwarded = b""
        if self.networks:
            forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
            if len(forwarded) > MAX_FORWARDED_BYTES:
                forwarded = forwarded[-MAX_FORWARDED_BYTES:].partition(b",")[2]
        found: str = self._client(client[0], forwarded)
        return found

    def _read(self, peer: str, forwarded: bytes) -> str:
        """Walk from the socket towards the client, as long as the one that speaks is trusted and makes sense."""
        here = _address(peer)
        if here is None:
            return peer
        for hop in reversed(forwarded.split(b",")):
            if not self._trusts(here):
                break
            there = _address(hop.decode("latin-1").strip(" \t"))
            if there is None:
                break
            here = there
        return str(here)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def origin_of(scope: HTTPScope) -> AuditContext:
    """What the audit log and the limits know of a request that has passed the edge."""
    origin: AuditContext = scope["state"]["origin"]
    return origin


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])  # without the interface that it was heard on (RFC 4007 §11)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
