"""An issuer's web server on the loopback interface, which answers whatever a test wants."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from attrs import define, field

Answer = Callable[[asyncio.StreamWriter], Coroutine[None, None, None]]


def response(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole HTTP/1.1 response; the length may be a lie."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def sending(data: bytes) -> Answer:
    """Sends that, and closes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


@define
class Loopback:
    """A server and the requests it got."""

    url: str
    requests: list[bytes] = field(factory=list)


@asynccontextmanager
async def loopback(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """A server on a free port; every connection is answered once and closed."""
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        with suppress(OSError, asyncio.IncompleteReadError):
            site.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await until_hung_up(answer(writer), reader)
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


async def until_hung_up(answering: Coroutine[None, None, None], reader: asyncio.StreamReader) -> None:
    """Answer, but only while the client listens."""
    tasks = [asyncio.create_task(answering), asyncio.create_task(reader.read())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
