"""Clients of event streams, thousands in one process, on the plain protocol, and a writer that they wait for."""

import asyncio
import random
import re
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, Self, cast
from urllib.parse import urlsplit

from attrs import define, field

from benchmarks.load import BODY
from benchmarks.servers import Server
from benchmarks.world import USERS, user

AT_ONCE: Final = 100
"""Connections that are being opened."""
SOURCES: Final = [str(IPv4Address("127.1.0.1") + number) for number in range(8)]
"""Addresses of the clients, because a closed connection keeps its port for a minute."""
HANG: Final = 60.0
"""Seconds after which a measurement gives up."""
_READY: Final = re.compile(rb"retry: (\d+)\n\nevent: ready\nid: (\S+)\ndata: {}\n\n")


def address(server: Server) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(server.url)
    return str(parts.hostname), int(parts.port or 0)


@define(eq=False)
class StreamClient(asyncio.Protocol):
    """One stream; its events are not parsed, only noticed."""

    number: int
    token: str
    ready: "asyncio.Future[float]" = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())
    changed: "asyncio.Future[float]" = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())
    ended: "asyncio.Future[float]" = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())
    """When the connection was closed."""
    has_end: bool = field(init=False, default=False)
    """Whether the stream ended with an event."""
    retry: float = field(init=False, default=0.0)
    """Seconds."""
    last_id: str = field(init=False, default="")
    _head: bytes = field(init=False, default=b"")
    _transport: asyncio.Transport | None = field(init=False, default=None)

    @property
    def owner(self) -> int:
        """The number of the user whose list it follows."""
        return self.number % USERS

    def request(self, last_id: str = "") -> bytes:
        """The request for the stream."""
        more = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        path = f"/api/{user(self.owner)}/tasks/events"
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n{more}\r\n".encode()

    async def open(self, server: Server, last_id: str = "") -> None:
        """Connect, and wait for the event `ready`."""
        (host, port), source = address(server), SOURCES[self.number % len(SOURCES)]
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, host, port, local_addr=(source, 0))
        if self._transport is not None:
            self._transport.write(self.request(last_id))
        async with asyncio.timeout(HANG):
            await self.ready

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Note the beginning, a change or the end."""
        now = time.perf_counter()
        if not self.ready.done():
            self._head += data
            if found := _READY.search(self._head):
                self.retry, self.last_id = int(found[1]) / 1000, found[2].decode()
                self._head = b""
                self.ready.set_result(now)
            elif not self._head.startswith(b"HTTP/1.1 200"[: len(self._head)]):
                self.ready.set_exception(RuntimeError(f"no stream: {self._head[:200]!r}"))
        elif b"event: task." in data and not self.changed.done():
            self.changed.set_result(now)
        elif b"event: end" in data:
            self.has_end = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Note when."""
        if not self.ready.done():
            self.ready.set_exception(exc or RuntimeError("closed before the stream began"))
        self.ended.set_result(time.perf_counter())

    async def next_change(self) -> float:
        """When the next change comes."""
        self.changed = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(HANG):
            return await self.changed


@define
class Clients:
    """The clients of one server."""

    clients: list[StreamClient]

    @classmethod
    async def of(cls, tokens: list[str], server: Server, count: int) -> Self:
        """Open so many streams, of the users in turn."""
        made = cls([StreamClient(number, tokens[number % USERS]) for number in range(count)])
        gate = asyncio.Semaphore(AT_ONCE)

        async def enter(client: StreamClient) -> None:
            async with gate:
                await client.open(server)

        await asyncio.gather(*(enter(client) for client in made.clients))
        return made

    async def close(self) -> None:
        """Close all streams."""
        for client in self.clients:
            client.close()
        await asyncio.gather(*(client.ended for client in self.clients))
        await asyncio.sleep(1)  # until the server has noticed

    async def move(self, server: Server) -> tuple[Self, float]:
        """Go to another server as each stream ends, as docs/live.md says; also return when the first one ended."""

        async def go(old: StreamClient) -> tuple[StreamClient, float]:
            ended, longest = await old.ended, old.retry
            while True:
                await asyncio.sleep(random.random() * longest)
                new = StreamClient(old.number, old.token)
                try:
                    await new.open(server, old.last_id)
                except OSError:  # the server accepts no more connections now
                    longest *= 2
                else:
                    return new, ended

        again, ended = zip(*await asyncio.gather(*map(go, self.clients)), strict=True)
        return type(self)([*again]), min(ended)


@define
class Writer:
    """Creates tasks on one connection."""

    tokens: list[str]
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    @classmethod
    async def of(cls, tokens: list[str], server: Server) -> Self:
        """Connect."""
        return cls(tokens, *await asyncio.open_connection(*address(server)))

    async def create(self, owner: int, body: str = BODY) -> tuple[float, float]:
        """Create a task; return when the request was sent and when the response came."""
        data = body.encode()
        head = f"POST /api/{user(owner)}/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.tokens[owner]}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        sent = time.perf_counter()
        self._writer.write(head.encode() + data)
        response = await self._reader.readuntil(b"\r\n\r\n")
        came = time.perf_counter()
        if not response.startswith(b"HTTP/1.1 201"):
            raise SystemExit(f"a create failed: {response!r}")
        length = int(response.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        return sent, came


def unsent(port: int) -> int:
    """Bytes that the kernel keeps for the clients of a port of this machine (proc_net_tcp)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[4].split(":")[0], 16) for line in lines if int(line[1].split(":")[1], 16) == port)
