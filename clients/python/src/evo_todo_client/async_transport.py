"""Carries out the steps of calls by httpx, for the asynchronous client."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import anyio
import httpx

from evo_todo_client.steps import Emit, FetchToken, Open, Read, Send, Sleep, Step, Steps
from evo_todo_client.tokens import Tokens
from evo_todo_client.transport import End, Opened, advance, request_of, unreachable

T = TypeVar("T")


class AsyncTransport:
    """For the asynchronous client."""

    def __init__(
        self, base_url: str, fetch_token: Callable[[], Awaitable[str | None]], http: httpx.AsyncClient, tokens: Tokens
    ) -> None:
        self._base_url, self._fetch_token, self._http, self._tokens = base_url.rstrip("/"), fetch_token, http, tokens
        self._lock = anyio.Lock()

    async def run(self, steps: Steps[T]) -> T:
        """The result of the steps."""
        opened, step = Opened(), advance(steps, None, None)
        while not isinstance(step, End):
            step = await self._next(steps, step, opened)
        result: T = step.result
        return result

    async def emitted(self, steps: Steps[None]) -> AsyncGenerator[Any, None]:
        """What the steps emit."""
        opened, step = Opened(), advance(steps, None, None)
        try:
            while not isinstance(step, End):
                if isinstance(step, Emit):
                    yield step.value
                step = await self._next(steps, step, opened)
        finally:
            with anyio.CancelScope(shield=True):
                await self._close(opened)

    async def _next(self, steps: Steps[Any], step: Step, opened: Opened) -> Step | End:
        try:
            result = await self._carry_out(step, opened)
        except Exception as error:  # noqa: BLE001  (the steps decide)
            return advance(steps, None, error)
        return advance(steps, result, None)

    async def _carry_out(self, step: Step, opened: Opened) -> Any:
        match step:
            case Sleep(seconds):
                return await anyio.sleep(seconds)
            case FetchToken(instead_of):
                return await self._token(instead_of)
            case Send() | Open():
                return await self._send(step, opened)
            case Read():
                return await self._read(opened)
        return None

    async def _token(self, instead_of: str | None) -> str | None:
        async with self._lock:
            if self._tokens.token not in {None, instead_of}:
                return self._tokens.token
            try:
                token = await self._fetch_token()
            except (httpx.RequestError, OSError) as error:
                raise unreachable() from error
            if token:
                self._tokens.keep(token)
            return token

    async def _send(self, step: Send | Open, opened: Opened) -> httpx.Response:
        await self._close(opened)
        request = request_of(self._http, self._base_url, step)
        try:
            response = await self._http.send(request, stream=isinstance(step, Open), follow_redirects=False)
            if isinstance(step, Open):
                opened.response, opened.chunks = response, response.aiter_bytes()
                if not response.is_success:
                    await response.aread()
        except httpx.RequestError as error:
            raise unreachable() from error
        return response

    async def _read(self, opened: Opened) -> bytes | None:
        try:
            return await anext(opened.chunks, None)
        except httpx.ReadTimeout as error:
            raise TimeoutError from error
        except httpx.RequestError:
            return None

    async def _close(self, opened: Opened) -> None:
        if opened.response is not None:
            await opened.response.aclose()
            opened.response = None
