"""Who is counted as one (V7), and what no message repeats (V10)."""

from itertools import islice, product
from typing import Any

import pytest

from adapters.http.context import Headers, TrustedProxies
from adapters.memory.audit_and_revocations import MemoryAuditLog
from adapters.system.audit_filters import PER_WINDOW, RateLimitedAuditLog
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.identity import UserId
from entrypoints.settings import Settings
from tests.contracts.audit_logs import NOON
from tests.support.api import InMemory, running
from tests.support.fake_issuer import ManualTime

GARBAGE, REVOKED = "The token is malformed.", "The token has been revoked."
FLOOD = 10_050


def refused(peer: str, reason: str = GARBAGE) -> AuditEvent:
    return AuditEvent(kind=AuditKind.TOKEN_REFUSED, at=NOON, context=AuditContext("r", peer), reason=reason)


def denied(peer: str, user: str) -> AuditEvent:
    return AuditEvent(kind=AuditKind.ACCESS_DENIED, at=NOON, context=AuditContext("r", peer), user_id=UserId(user))


ATTACKERS = {
    "one address": ["203.0.113.7"] * FLOOD,
    "one /64": [f"2001:db8::{n:x}" for n in range(FLOOD)],
    "one /64 with zones": [f"fe80::{n:x}%eth{n}" for n in range(FLOOD)],
    "one address in two forms": ["::ffff:203.0.113.7", "203.0.113.7"] * (FLOOD // 2),
    "many /64 of a site": [f"2001:db8:0:{n:x}::1" for n in range(FLOOD)],
    "many sites of a provider": [f"2001:db8:{n:x}::1" for n in range(FLOOD)],
    "many addresses of a provider": [f"203.0.{a}.{b}" for a, b in islice(product(range(256), repeat=2), FLOOD)],
    "many providers": [f"{20 + a}.{b}.0.1" for a, b in islice(product(range(100), range(256)), FLOOD)],
    "many providers of IPv6": [f"2001:{n:x}::1" for n in range(FLOOD)],
}
BYSTANDERS = ["198.51.100.1", "2a00:1450:4001:80b::200e", "::ffff:198.51.100.2"]


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_v07_no_flood_of_bad_tokens_hides_what_others_do(attacker: str) -> None:
    kept = MemoryAuditLog()
    log = RateLimitedAuditLog(kept, ManualTime(0))
    for peer in ATTACKERS[attacker]:
        log.record(refused(peer))
    flood = len(kept.events)
    others = [
        *(refused(peer) for peer in BYSTANDERS),
        *(denied(peer, "alice") for peer in BYSTANDERS),
        refused(ATTACKERS[attacker][-1], REVOKED),
        denied(ATTACKERS[attacker][-1], "bob"),
    ]
    for event in others:
        log.record(event)
    assert list(kept.events)[flood:] == others
    assert flood < FLOOD


@pytest.mark.parametrize("peers", [["2001:db8::{:x}"], ["203.0.113.7"]], ids=["one /64", "one address"])
def test_v07_one_identity_leaves_a_fixed_number_of_entries_whatever_its_reasons(peers: list[str]) -> None:
    kept = MemoryAuditLog()
    log = RateLimitedAuditLog(kept, ManualTime(0))
    for reason in range(40):
        for number in range(1000):
            log.record(refused(peers[0].format(number), f"reason {reason}"))
    assert len(kept.events) == 40 * PER_WINDOW
    log.record(refused("198.51.100.1", "reason 7"))
    assert len(kept.events) == 40 * PER_WINDOW + 1


async def test_v07_a_64_has_one_limit_and_an_entry_with_a_port_is_the_clients() -> None:
    settings = {"EVO_TODO_ADDRESS_RATE_LIMIT": "3/day", "EVO_TODO_TRUSTED_PROXIES": "127.0.0.1,::ffff:10.0.0.0/104"}
    async with running(InMemory(), **settings) as api:

        async def status(*forwarded: str) -> int:
            headers = [*(("X-Forwarded-For", one) for one in forwarded), ("Authorization", "Bearer x")]
            return (await api.http.get("/api/alice/tasks", headers=headers)).status_code

        for entry in ("203.0.113.7:1", '"203.0.113.7:51234"', "[::ffff:203.0.113.7]:443"):
            assert await status(entry) == 401
        assert await status("203.0.113.7") == 429
        for entry in ("2001:db8::1", "[2001:db8::2]", "[2001:db8::3]:443"):
            assert await status("1.2.3.4", f"{entry}, 10.0.0.5:8080") == 401
        assert await status("2001:db8::ffff") == 429
        assert await status("2001:db8:0:1::1") == 401
        assert await status("[2001:db8:0:2::1]:443") == 401, "nobody else is told to wait"


def test_v07_garbage_ends_the_walk_at_the_last_trusted_proxy() -> None:
    proxies = TrustedProxies(Settings.from_env({"EVO_TODO_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies)

    def client(forwarded: str) -> str | None:
        scope: Any = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", forwarded.encode("latin-1"))]}
        return proxies.client_address(scope, Headers.parse(scope["headers"]))

    for garbage in ("203.0.113.7:", "203.0.113.7:99999", "[2001:db8::1", "[203.0.113.7]", "_hidden:80", '"', "[]:1"):
        assert client(f"198.51.100.9, {garbage}, 10.0.0.2:80") == "10.0.0.2"
