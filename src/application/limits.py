"""How much one client may ask for: per user, and per address where nobody knows who it is."""

from ipaddress import IPv6Address, ip_address
from typing import Final

from attrs import frozen

from application.ports import AuditLog, Clock, RateMeter
from domain.audit import AuditEvent, AuditKind, RequestOrigin
from domain.errors import TooManyRequests
from domain.identity import Principal
from domain.rate_limit import Allowance, RateLimit

SUBNET: Final = 64
"""Bits of an IPv6 address that tell one client from another: the rest is the client's own to vary (RFC 4291 §2.5.1)."""


@frozen
class LimitRequests:
    """Count requests, and refuse what is above a limit; where there is no limit, nothing is counted."""

    users: RateLimit | None
    addresses: RateLimit | None
    meter: RateMeter
    audit: AuditLog
    clock: Clock

    async def of_user(self, principal: Principal, origin: RequestOrigin) -> Allowance | None:
        """Count a request whose token is valid.

        Raises:
            TooManyRequests: the user has used up the window; told to the audit log once a window.
        """
        if self.users is None:
            return None
        allowance = await self.meter.hit(f"user:{principal.user_id}", self.users)
        if allowance.is_exceeded:
            self._refuse(allowance, origin, "user-limit", principal)
        return allowance

    async def of_address(self, origin: RequestOrigin) -> Allowance | None:
        """Count a request that nobody vouches for: without a valid token, or with a security event that was refused.

        Raises:
            TooManyRequests: its address has used up the window; told to the audit log once a window.
        """
        if self.addresses is None:
            return None
        allowance = await self.meter.hit(f"address:{_client(origin.peer)}", self.addresses)
        if allowance.is_exceeded:
            self._refuse(allowance, origin, "address-limit", None)
        return allowance

    def _refuse(self, allowance: Allowance, origin: RequestOrigin, reason: str, principal: Principal | None) -> None:
        if allowance.is_first_excess:
            self.audit.record(
                AuditEvent(
                    kind=AuditKind.LIMIT_HIT,
                    at=self.clock.now(),
                    user_id=principal.user_id if principal else None,
                    session_id=principal.session_id if principal else None,
                    origin=origin,
                    reason=reason,
                )
            )
        raise TooManyRequests(allowance)


def _client(peer: str | None) -> str:
    """Who an address is counted as; all that have none, such as a local socket's peers, count as one."""
    try:
        address = ip_address(peer or "")
    except ValueError:
        return peer or "none"
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> (128 - SUBNET) << (128 - SUBNET)))
    return str(address)
