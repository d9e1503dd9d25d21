"""What the calls need of the outside, for event loops and for threads.

The calls are written once, as coroutines. With an httpx.Client nothing here suspends them, so that `result_of` runs one
to its end on the calling thread, without an event loop.
"""

import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import anyio
import httpx

T = TypeVar("T")


class Network:
    """Sends requests, fetches tokens and waits. Sending and reading raise httpx.RequestError."""

    def __init__(
        self, http: httpx.Client | httpx.AsyncClient, fetch_token: Callable[[], str | Awaitable[str | None] | None]
    ) -> None:
        self.http, self._fetch_token, self._is_blocking = http, fetch_token, isinstance(http, httpx.Client)
        self.lock: AbstractAsyncContextManager[object] = _BlockingLock() if self._is_blocking else anyio.Lock()

    async def fetch_token(self) -> str | None:
        """A new token; `None` without a session."""
        found = self._fetch_token()
        return found if found is None or isinstance(found, str) else await found

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
        """The body as it comes."""
        if self._is_blocking:
            for chunk in response.iter_bytes():
                yield chunk
        else:
            async for chunk in response.aiter_bytes():
                yield chunk

    async def close(self, response: httpx.Response) -> None:
        """Close the connection, unless the body has been read."""
        if self._is_blocking:
            response.close()
        else:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        if self._is_blocking:
            time.sleep(seconds)  # noqa: ASYNC251  (there is no event loop)
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
