"""A flood: as many connections as wanted, each of which sends its next request when it has its response."""

import asyncio
import itertools
import resource
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from typing import Final, cast

import uvloop

FIRST: Final = IPv4Address("127.0.0.1")
"""The source address of a flood from one address."""
MANY: Final = IPv4Address("127.1.0.1")
"""The first of those of a flood from several."""


class Flooder(asyncio.Protocol):
    """One connection of the flood, which is opened again when the server closes it."""

    def __init__(self, requests: Iterator[bytes], statuses: Counter[int], closed: "asyncio.Queue[Flooder]") -> None:
        self._requests, self._statuses, self._closed = requests, statuses, closed
        self._received = b""
        self.source = ""
        self.has_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send a request, unless the flood has not begun."""
        self._transport, self._received = cast("asyncio.Transport", transport), b""
        if self.has_begun:
            self.send()

    def send(self) -> None:
        """Send the next request."""
        self.has_begun = True
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Count a complete response, and send the next request."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0):
            return
        self._received = b""
        self._statuses[int(head.split(b" ", 2)[1])] += 1
        if b"connection: close" not in head.lower():
            self.send()

    def connection_lost(self, _: Exception | None) -> None:
        """Ask to be opened again."""
        self._statuses[0] += 1
        self._closed.put_nowait(self)


def flood(
    host: str, port: int, requests: list[bytes], connections: int, addresses: int, seconds: float, report: Connection
) -> None:
    """Send the requests from so many addresses; report `None` when all connections are open, then the statuses."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(_flood(host, port, requests, connections, addresses, seconds, report))


def _same(flooder: Flooder) -> Flooder:
    """A protocol factory that returns a protocol made before."""
    return flooder


async def _flood(
    host: str, port: int, requests: list[bytes], connections: int, addresses: int, seconds: float, report: Connection
) -> None:
    loop = asyncio.get_running_loop()
    statuses: Counter[int] = Counter()
    closed: asyncio.Queue[Flooder] = asyncio.Queue()
    endless, flooders = itertools.cycle(requests), list[Flooder]()
    for number in range(connections):
        flooder = Flooder(endless, statuses, closed)
        flooder.source = str(FIRST if addresses == 1 else MANY + number % addresses)
        await loop.create_connection(partial(_same, flooder), host, port, local_addr=(flooder.source, 0))
        flooders.append(flooder)
    report.send(None)
    until = time.monotonic() + seconds
    for flooder in flooders:
        flooder.send()
    while (left := until - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                again = await closed.get()
                await loop.create_connection(partial(_same, again), host, port, local_addr=(again.source, 0))
        except (TimeoutError, OSError):
            continue
    report.send(Counter(statuses))
