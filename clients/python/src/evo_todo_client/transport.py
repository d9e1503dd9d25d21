"""Carries out the steps of calls by httpx, for the synchronous client; and what the asynchronous one shares."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

from evo_todo_client.problems import Unreachable
from evo_todo_client.steps import Emit, FetchToken, Open, Read, Send, Sleep, Step, Steps
from evo_todo_client.tokens import Tokens

T = TypeVar("T")
TIMEOUT: Final = 10.0
"""Seconds to connect, and between two pieces of a response."""


@dataclass
class Opened:
    """The response that a call keeps open."""

    response: httpx.Response | None = None
    chunks: Any = field(default_factory=lambda: iter(()))


def request_of(http: httpx.Client | httpx.AsyncClient, base_url: str, step: Send | Open) -> httpx.Request:
    """The request of a step, with its token."""
    call = step.call
    headers = call.headers | {"Authorization": f"Bearer {step.token}"}
    url = base_url + call.path
    request = http.build_request(call.method, url, params=call.params or None, json=call.json, headers=headers)
    if isinstance(step, Open):
        request.extensions["timeout"] = request.extensions["timeout"] | {"read": step.silence}
    return request


def unreachable() -> Unreachable:
    """There was no response."""
    return Unreachable("The server is unreachable. Check your connection and try again.")


@dataclass(frozen=True)
class End:
    """The result of the steps; a coroutine cannot raise StopIteration."""

    result: Any


def advance(steps: Steps[Any], result: Any, error: Exception | None) -> Step | End:
    """Hand over a step's result or its error; the step after it, or the end."""
    try:
        return steps.send(result) if error is None else steps.throw(error)
    except StopIteration as end:
        return End(end.value)


class Transport:
    """For the synchronous client."""

    def __init__(
        self, base_url: str, fetch_token: Callable[[], str | None], http: httpx.Client, tokens: Tokens
    ) -> None:
        self._base_url, self._fetch_token, self._http, self._tokens = base_url.rstrip("/"), fetch_token, http, tokens
        self._lock = threading.Lock()

    def run(self, steps: Steps[T]) -> T:
        """The result of the steps."""
        opened, step = Opened(), advance(steps, None, None)
        while not isinstance(step, End):
            step = self._next(steps, step, opened)
        result: T = step.result
        return result

    def emitted(self, steps: Steps[None]) -> Generator[Any, None, None]:
        """What the steps emit."""
        opened, step = Opened(), advance(steps, None, None)
        try:
            while not isinstance(step, End):
                if isinstance(step, Emit):
                    yield step.value
                step = self._next(steps, step, opened)
        finally:
            self._close(opened)

    def _next(self, steps: Steps[Any], step: Step, opened: Opened) -> Step | End:
        try:
            result = self._carry_out(step, opened)
        except Exception as error:  # noqa: BLE001  (the steps decide)
            return advance(steps, None, error)
        return advance(steps, result, None)

    def _carry_out(self, step: Step, opened: Opened) -> Any:
        match step:
            case Sleep(seconds):
                return time.sleep(seconds)  # the pause before a retry; callers without a loop wait here
            case FetchToken(instead_of):
                return self._token(instead_of)
            case Send() | Open():
                return self._send(step, opened)
            case Read():
                return self._read(opened)
        return None

    def _token(self, instead_of: str | None) -> str | None:
        with self._lock:
            if self._tokens.token not in {None, instead_of}:
                return self._tokens.token
            try:
                token = self._fetch_token()
            except (httpx.RequestError, OSError) as error:
                raise unreachable() from error
            if token:
                self._tokens.keep(token)
            return token

    def _send(self, step: Send | Open, opened: Opened) -> httpx.Response:
        self._close(opened)
        request = request_of(self._http, self._base_url, step)
        try:
            response = self._http.send(request, stream=isinstance(step, Open), follow_redirects=False)
            if isinstance(step, Open):
                opened.response, opened.chunks = response, response.iter_bytes()
                if not response.is_success:
                    response.read()
        except httpx.RequestError as error:
            raise unreachable() from error
        return response

    def _read(self, opened: Opened) -> bytes | None:
        try:
            return next(opened.chunks, None)
        except httpx.ReadTimeout as error:
            raise TimeoutError from error
        except httpx.RequestError:
            return None

    def _close(self, opened: Opened) -> None:
        if opened.response is not None:
            opened.response.close()
            opened.response = None
