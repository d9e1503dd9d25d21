"""What the calls need of the outside, for event loops and for threads.

The calls are written once, as coroutines. With an httpx.Client nothing here suspends them, so that `result_of` runs one
to its end on the calling thread, without an event loop.
"""

import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, TypeVar

import anyio
import httpx

T = TypeVar("T")

TIMEOUT: Final = 10.0
"""Seconds to connect, between two pieces of a response, and for an asynchronous `fetch_token`."""


class Network:
    """Sends requests, fetches tokens and waits. Sending and reading raise httpx.RequestError."""

    def __init__(
        self, http: httpx.Client | httpx.AsyncClient, fetch_token: Callable[[], str | Awaitable[str | None] | None]
    ) -> None:
        self.http, self._fetch_token, self._is_blocking = http, fetch_token, isinstance(http, httpx.Client)
        self.lock: AbstractAsyncContextManager[object] = _BlockingLock() if self._is_blocking else anyio.Lock()
        self._closed = threading.Event()
        self._streams: set[httpx.Response] = set()

    @property
    def is_closed(self) -> bool:
        """Whether watches are to end."""
        return self._closed.is_set()

    def end_streams(self) -> None:
        """End the watches, also one that waits on another thread: closing its socket would not wake it."""
        self._closed.set()
        for response in [*self._streams] if self._is_blocking else ():
            connection = response.extensions.get("network_stream")
            if connection is not None:
                with suppress(OSError):
                    socket.socket.shutdown(connection.get_extra_info("socket"), socket.SHUT_RDWR)

    async def fetch_token(self) -> str | None:
        """A new token; `None` without a session. Raises TimeoutError, and what the caller's function raises."""
        found = self._fetch_token()
        if found is None or isinstance(found, str):
            return found
        with anyio.fail_after(TIMEOUT):
            return await found

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The response, its body not read yet."""
        response = self.http.send(request, stream=True, follow_redirects=False)
        return response if isinstance(response, httpx.Response) else await response

    async def read(self, response: httpx.Response) -> None:
        """Read the whole body."""
        if self._is_blocking:
            response.read()
        else:
            await response.aread()

    async def chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The body as it comes; ends by `end_streams`."""
        self._streams.add(response)
        try:
            if self._is_blocking:
                for chunk in () if self.is_closed else response.iter_bytes():
                    yield chunk
            else:
                async for chunk in response.aiter_bytes():
                    yield chunk
        finally:
            self._streams.discard(response)

    async def close(self, response: httpx.Response) -> None:
        """Close the connection, unless the body has been read."""
        if self._is_blocking:
            response.close()
        else:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def sleep(self, seconds: float) -> None:
        """Wait; with threads, until `end_streams` at most."""
        if self._is_blocking:
            self._closed.wait(seconds)
        else:
            await anyio.sleep(seconds)


class _BlockingLock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


def result_of(call: Awaitable[T]) -> T:
    """The result of a coroutine that never suspends."""
    try:
        next(iter(call.__await__()))
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("the coroutine waits for an event loop")


def each(items: AsyncGenerator[T, Any]) -> Generator[T, None, None]:
    """The items of an asynchronous generator that never suspends. It is closed with this one."""
    try:
        while True:
            try:
                item = result_of(anext(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        result_of(items.aclose())
