"""Users, sessions, and the ownership rule; the one identity by which clients without a token are counted."""

import math
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, NewType

from attrs import Attribute, field, frozen

from domain.errors import AccessDenied, InvalidField
from domain.text import has_control_characters

UserId = NewType("UserId", str)
"""The issuer's ID of a user: the token's `sub`. Opaque."""

SessionId = NewType("SessionId", str)
"""The issuer's ID of a session: the token's `sid`. Opaque."""

MAX_USER_ID = MAX_SESSION_ID = 255


def _is_identifier(_: Any, attribute: "Attribute[Any]", value: str | None) -> None:
    if value is None:
        return
    if not 1 <= len(value) <= MAX_USER_ID:
        raise InvalidField(attribute.name, f"must have 1 to {MAX_USER_ID} characters")
    if has_control_characters(value):
        raise InvalidField(attribute.name, "must not contain control characters")


@frozen
class Principal:
    """The user of a verified token. Principals are equal if they are the same user.

    Raises:
        InvalidField: an ID is empty, too long, or contains control characters.
    """

    user_id: UserId = field(validator=_is_identifier)
    session_id: SessionId | None = field(default=None, validator=_is_identifier, eq=False)
    """The session of the token, if the issuer includes one."""
    issued_at: float = field(default=0.0, eq=False)
    """When the token was issued, in seconds since 1970."""
    lacks_scope: bool = field(default=False, eq=False)
    """Whether the token was issued to an application without the scope for this service."""
    expires_at: float = field(default=math.inf, eq=False)
    """When the token expires, in seconds since 1970, without any leeway."""

    @property
    def issued_second(self) -> datetime:
        """When the token was issued, in whole seconds: issuers may truncate the date, so all are compared like that."""
        return datetime.fromtimestamp(math.floor(self.issued_at), UTC)

    def was_issued_by(self, instant: datetime) -> bool:
        """Whether the token was issued at or before the instant; one of the same second counts as issued before it."""
        return math.floor(self.issued_at) <= instant.timestamp()

    def ensure_owns(self, owner: UserId) -> None:
        """The ownership rule: a user may access their own list and no other.

        Raises:
            AccessDenied: the list belongs to another user, whether or not it exists.
        """
        if owner != self.user_id:
            raise AccessDenied


Address = IPv4Address | IPv6Address

CLIENT_PREFIXES: Final = {4: (32, 24, 16, 8), 6: (64, 48, 32, 16)}
"""By version of IP, the bits of an address that identify a client, its site, its provider, and the provider's region.

The rest of an IPv6 address is the client's own to choose (RFC 4291 §2.5.1), and a site has many /64 (RFC 6177).
"""
NO_ADDRESS: Final = "none"
"""The identity that all clients without an address share, such as those of a local socket."""


def parse_address(text: str) -> Address | None:
    """An address in its one form: IPv4-mapped IPv6 is IPv4, and there is no zone (RFC 4291 §2.5.5.2, RFC 4007 §11)."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


@lru_cache(4096)
def address_identity(peer: str | None) -> str:
    """What a client's address counts as, wherever clients are counted, limited, thinned out or take turns.

    That is the IPv4 address or the /64 of an IPv6 address. Text that is no address stands for itself.
    """
    address = parse_address(peer or "")
    if address is None:
        return peer or NO_ADDRESS
    return _network(address, CLIENT_PREFIXES[address.version][0]).removesuffix("/32")


def wider_networks(peer: str | None) -> tuple[str, ...]:
    """The networks around the identity of a client's address, each wider than the one before."""
    address = parse_address(peer or "")
    return () if address is None else tuple(_network(address, bits) for bits in CLIENT_PREFIXES[address.version][1:])


def _network(address: Address, bits: int) -> str:
    suffix = address.max_prefixlen - bits
    return f"{type(address)(int(address) >> suffix << suffix)}/{bits}"
