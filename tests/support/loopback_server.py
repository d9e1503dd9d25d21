"""An HTTP server on the loopback interface whose response a test chooses byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from attrs import define, field

Responder = Callable[[asyncio.StreamWriter], Coroutine[None, None, None]]


def response(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An HTTP/1.1 response; `length` overrides the true Content-Length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def sending(data: bytes) -> Responder:
    """Send these bytes, then close."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return respond


@define
class Loopback:
    """A server and the requests it received."""

    url: str
    requests: list[bytes] = field(factory=list)


@asynccontextmanager
async def loopback(respond: Responder, context: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """A server on a free port; each connection gets one response and is closed."""
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        with suppress(OSError, asyncio.IncompleteReadError):
            site.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await _until_disconnected(respond(writer), reader)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    site = Loopback(f"{'https' if context else 'http'}://127.0.0.1:{port}/api/auth/jwks")
    try:
        yield site
    finally:
        server.close()
        await asyncio.gather(*served)
        await server.wait_closed()


async def _until_disconnected(responding: Coroutine[None, None, None], reader: asyncio.StreamReader) -> None:
    """Respond until done or the client disconnects."""
    tasks = [asyncio.create_task(responding), asyncio.create_task(reader.read())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
