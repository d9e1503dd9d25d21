"""V6: what a client does not read is bounded, and so is how long it is kept. Real sockets, a short time limit."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from adapters.http.responses import Response
from adapters.http.server.uvicorn_protocol import HardenedHttpProtocol
from tests.support.protocol import config

GET = b"GET /page HTTP/1.1\r\nHost: api.test\r\n\r\n"
PAGE = bytes(1024 * 1024)
SMALL_BUFFER = 4096
"""Of the kernel, at both ends: else it takes more than a page."""


class Impatient(HardenedHttpProtocol):
    stall_timeout = 0.3


class LessImpatient(HardenedHttpProtocol):
    stall_timeout = 2.0


class Server:
    """Pages on a loopback port, and clients of it."""

    def __init__(self) -> None:
        self.state = ServerState()
        self.begun = 0
        self._opened = ExitStack()
        self._port = 0

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        await Response(200, [(b"content-length", b"%d" % len(PAGE))], PAGE)(scope, receive, send)

    async def start(self, protocol: type[HardenedHttpProtocol]) -> None:
        made = config(self.app)
        listening = self._opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        self._port = listening.getsockname()[1]
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: protocol(made, self.state, {}), sock=listening)
        self._opened.callback(server.close)

    async def client(self) -> socket.socket:
        client = self._opened.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        client.setblocking(False)  # noqa: FBT003
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self._port))
        return client

    def close(self) -> None:
        self._opened.close()


@pytest.fixture(scope="module", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Each has transports of its own; the service uses uvloop where it is installed."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    yield made
    made.close()


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110  (uvicorn tells of it by no event)
            await asyncio.sleep(0.02)  # the poll interval


@pytest.mark.parametrize("ask", [GET, GET * 20, GET[:-2] + b"Connection: close\r\n\r\n"], ids=["one", "many", "last"])
async def test_v06_who_does_not_read_is_cut_off_and_nothing_of_theirs_is_kept(server: Server, ask: bytes) -> None:
    await server.start(Impatient)
    clients = [await server.client() for _ in range(5)]
    for client in clients:
        client.send(ask)
    await until(lambda: server.begun == len(clients))
    await until(lambda: not server.state.connections)

    assert server.begun == len(clients)  # nobody's second request was begun
    assert not server.state.tasks
    gc.collect()
    assert not [it for it in gc.get_objects() if isinstance(it, RequestResponseCycle) and it.scope["path"] == "/page"]
    for client in clients:
        with pytest.raises(ConnectionResetError):  # as soon as it looks
            while client.recv(1 << 20):
                pass


async def test_v06_a_client_that_asks_again_and_again_without_reading_is_cut_off(server: Server) -> None:
    await server.start(Impatient)
    client = await server.client()

    async def ask_again() -> None:
        with suppress(ConnectionError, BlockingIOError):
            while True:
                client.send(GET)
                await asyncio.sleep(0.01)  # the pace of the attack

    asking = asyncio.create_task(ask_again())
    await until(lambda: server.begun == 1)
    await until(lambda: not server.state.connections)
    assert server.begun == 1
    await asking


async def test_v06_a_slow_but_steady_reader_gets_the_whole_page(server: Server) -> None:
    """It takes longer than the limit for a client that takes nothing."""
    await server.start(LessImpatient)
    client, loop = await server.client(), asyncio.get_running_loop()
    client.send(GET[:-2] + b"Connection: close\r\n\r\n")
    received, started = 0, loop.time()
    while data := await loop.sock_recv(client, 32 * 1024):
        received += len(data)
        await asyncio.sleep(3 * len(data) / len(PAGE))  # the pace of the reader: three seconds for a page
    assert received > len(PAGE)
    assert loop.time() - started > LessImpatient.stall_timeout
