"""The attacks of docs/security.md, at the pace of a soak test."""

import asyncio
import itertools
import socket
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import httpx
from attrs import define, field

from benchmarks.attacks_search import WORDS
from benchmarks.attacks_tokens import ask
from benchmarks.servers import Server
from benchmarks.world import World, user
from tests.support.tokens import ABSENT, ACCOUNT_PURGED, SESSION_REVOKED, Issuer

SEARCHES_PER_SECOND: Final = 8
NEVER_READ: Final = 10
"""Clients that ask for long pages and read nothing."""
FORGERS: Final = 100
"""Connections of a burst of forged tokens."""
BURST: Final = 5.0
"""Seconds of such a burst; the pause after it takes five times as long."""
PURGE_INTERVAL: Final = 5.0

TRAILER: Final = (
    b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nConnection: close\r\n\r\n"
)


@define
class Soak:
    """Counters of a soak test."""

    statuses: Counter[int] = field(factory=Counter)
    broken: Counter[str] = field(factory=Counter)
    kept: dict[str, str] = field(factory=dict)
    """The acknowledged tasks and their owners."""
    attacks: Counter[str] = field(factory=Counter)
    """What each attack got."""
    revoked: list[float] = field(factory=list)
    """Seconds from the event to the first refusal, of each revoked session."""
    purged: list[str] = field(factory=list)
    """The owners whose accounts were purged while they wrote."""
    memory: list[list[float]] = field(factory=list)


def attacks(made: World, server: Server, seen: Soak, until: float) -> list[Awaitable[None]]:
    """All of them, each until that time."""
    return [
        _search(made, server, seen, until),
        *(_never_read(made, server, seen, until) for _ in range(NEVER_READ)),
        _end_in_trailers(server, seen, until),
        _forge(made, server, seen, until),
        _purge(made, server, seen, until),
    ]


async def _search(made: World, server: Server, seen: Soak, until: float) -> None:
    """Searches for what nearly matches long texts everywhere."""
    now = int(made.issuer.now())
    mine = {"Authorization": f"Bearer {made.issuer.token('attacker', iat=now, exp=now + 86400, sid='s-attacker')}"}
    client = httpx.AsyncClient(base_url=server.url, headers=mine, timeout=60, limits=httpx.Limits(max_connections=None))

    async def one(words: str) -> None:
        try:
            answer = await client.get("/api/attacker/tasks", params={"q": words, "limit": 1})
            seen.attacks[f"search {answer.status_code}"] += 1
        except httpx.TransportError as error:
            seen.attacks[f"search {type(error).__name__}"] += 1

    async with client, asyncio.TaskGroup() as tasks:
        for words in itertools.cycle(WORDS.values()):
            if time.monotonic() > until:
                return
            tasks.create_task(one(words))
            await asyncio.sleep(1 / SEARCHES_PER_SECOND)


async def _never_read(made: World, server: Server, seen: Soak, until: float) -> None:
    """Ask for long pages on a connection without ever reading; begin again when it is cut off."""
    address, loop = urlsplit(server.url), asyncio.get_running_loop()
    head = f"GET /api/attacker/tasks?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made.token(0)}\r\n\r\n"
    own = head.replace("attacker", user(0)).encode()
    while time.monotonic() < until:
        with socket.socket() as client, suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, (str(address.hostname), int(address.port or 0)))
            while time.monotonic() < until:
                with suppress(BlockingIOError):
                    client.send(own)
                await asyncio.sleep(1)
        seen.attacks["never read: cut off"] += time.monotonic() < until
        await asyncio.sleep(0.1)


async def _end_in_trailers(server: Server, seen: Soak, until: float) -> None:
    """End the connection in a trailer and go on: what follows must not be lost in silence."""
    address = urlsplit(server.url)
    while time.monotonic() < until:
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
                writer.write(TRAILER + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                await reader.read()  # to the end, which must come
                writer.close()
            seen.attacks["trailer: closed"] += 1
        except TimeoutError:
            seen.attacks["trailer: swallowed"] += 1
        except OSError as error:
            seen.attacks[f"trailer: {type(error).__name__}"] += 1
        await asyncio.sleep(0.5)


async def _forge(made: World, server: Server, seen: Soak, until: float) -> None:
    """Bursts of forged tokens that bear the public key ID, on many connections."""
    forger = Issuer.new("bench", name=made.issuer_url, audience=made.issuer_url)
    numbers = itertools.count()

    async def one(client: httpx.AsyncClient, burst_end: float) -> None:
        while time.monotonic() < burst_end:
            number = next(numbers)
            token = forger.token(user(number % 1000), jti=str(number))
            try:
                answer = await client.get("/api/u1/tasks", headers={"Authorization": f"Bearer {token}"})
                seen.attacks[f"forged {answer.status_code}"] += 1
            except httpx.TransportError as error:
                seen.attacks[f"forged {type(error).__name__}"] += 1

    while time.monotonic() + 6 * BURST < until:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
            burst_end = time.monotonic() + BURST
            await asyncio.gather(*(one(client, burst_end) for _ in range(FORGERS)))
        await asyncio.sleep(5 * BURST)


async def _purge(made: World, server: Server, seen: Soak, until: float) -> None:
    """People whose session is revoked, or whose account is purged, while they write."""
    for number in itertools.count():
        if time.monotonic() > until - 30:
            return
        owner = f"leaves-{number}"
        token = made.issuer.token(owner, sid=f"leaves-{number}")
        writing = asyncio.create_task(_write_until_refused(server, owner, token))
        await asyncio.sleep(1)  # of writing
        kind, session = (SESSION_REVOKED, f"leaves-{number}") if number % 2 else (ACCOUNT_PURGED, ABSENT)
        began = time.monotonic()
        event = made.issuer.security_event(kind, user=owner, session=session, jti=f"leaves-{number}").encode()
        head = "POST /api/security-events HTTP/1.1\r\nHost: x\r\nContent-Type: application/secevent+jwt\r\n"
        status = 0
        while status != httpx.codes.ACCEPTED and time.monotonic() < until:
            status = await ask(server, f"{head}Content-Length: {len(event)}\r\n\r\n".encode() + event)
            seen.attacks[f"event {status}"] += 1
        seen.revoked.append(await writing - began)
        if kind == ACCOUNT_PURGED:
            seen.purged.append(owner)
        await asyncio.sleep(PURGE_INTERVAL)


async def _write_until_refused(server: Server, owner: str, token: str) -> float:
    """Create tasks until the token is refused; when that was."""
    body = b'{"title":"Written while leaving"}'
    request = (
        f"POST /api/{owner}/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    while await ask(server, request) != httpx.codes.UNAUTHORIZED:
        await asyncio.sleep(0.02)
    return time.monotonic()
