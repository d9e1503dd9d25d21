"""V2: a flood of forged tokens with the public key ID, and what others notice of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from joserfc import jws

from tests.support.api import Api, InMemory, running
from tests.support.attacks import TASKS
from tests.support.tokens import Issuer

FLOOD = 400
SET = {"Content-Type": "application/secevent+jwt"}
OURS = "198.51.100.7"


@pytest.fixture
async def proxied() -> AsyncIterator[Api]:
    """The application behind a proxy that it trusts, so that a test can be any client."""
    env = {"EVO_TODO_TRUSTED_PROXIES": "127.0.0.1", "EVO_TODO_ADDRESS_RATE_LIMIT": "20/minute"}
    async with running(InMemory(), **env) as api:
        yield api


def forged(api: Api, client: Callable[[int], str]) -> list[asyncio.Task[httpx.Response]]:
    """Begin a flood of distinct tokens of another key under the same ID."""
    forger = Issuer.new(api.issuer.kid)
    return [
        asyncio.create_task(get(api, forger.token("alice", jti=str(number)), client(number))) for number in range(FLOOD)
    ]


async def get(api: Api, token: str, client: str) -> httpx.Response:
    return await api.http.get(TASKS, headers={"Authorization": f"Bearer {token}", "X-Forwarded-For": client})


async def beside(flood: list[asyncio.Task[httpx.Response]], request: Awaitable[httpx.Response]) -> httpx.Response:
    """The response to a request that comes after the flood, which must have hardly begun to be served by then."""
    response = await request
    assert sum(task.done() for task in flood) < FLOOD / 4
    return response


@pytest.mark.parametrize(
    "client",
    [
        lambda _: "192.0.2.1",
        lambda number: f"192.0.2.{number % 200}",
        lambda number: f"10.0.{number // 200}.{number % 200}",
        lambda number: f"2001:db8::{number:x}",
        lambda number: f"2001:db8:0:{number:x}::1",
    ],
)
async def test_v02_a_flood_of_forged_tokens_holds_back_neither_revocations_nor_other_peoples_tokens(
    proxied: Api, client: Callable[[int], str]
) -> None:
    stolen = proxied.issuer.token("alice", sid="stolen")
    assert (await get(proxied, stolen, OURS)).status_code == 200
    flood = forged(proxied, client)
    event = proxied.issuer.security_event(session="stolen")
    headers = SET | {"X-Forwarded-For": client(0)}  # even from an address of the flood
    pushed = await beside(flood, proxied.http.post("/api/security-events", content=event, headers=headers))
    assert pushed.status_code == 202
    assert (await get(proxied, stolen, OURS)).status_code == 401
    for number in range(5):
        new = proxied.issuer.token("alice", sid=f"new-{number}")
        assert (await beside(flood, get(proxied, new, f"203.0.113.{number}"))).status_code == 200
    assert {(await task).status_code for task in flood} <= {401, 429}


async def test_v02_an_address_over_its_limit_is_told_so_before_a_signature_is_checked(
    proxied: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified, deserialize = 0, jws.deserialize_compact

    def count(*args: Any, **options: Any) -> Any:
        nonlocal verified
        verified += 1
        return deserialize(*args, **options)

    monkeypatch.setattr(jws, "deserialize_compact", count)
    statuses = [(await task).status_code for task in forged(proxied, lambda _: "192.0.2.1")]
    assert statuses.count(401) == 20
    assert verified == 21, "the one that exceeds the limit is the last, also of those that were waiting"
    assert (await get(proxied, proxied.issuer.token("alice"), "192.0.2.1")).status_code == 429
    assert verified == 21
    assert (await get(proxied, proxied.issuer.token("alice"), "192.0.2.2")).status_code == 200
