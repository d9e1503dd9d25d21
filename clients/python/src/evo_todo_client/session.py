"""Requests with a token, renewed once if it is rejected, and repeated where that is safe."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from evo_todo_client.network import Network
from evo_todo_client.problems import ApiProblem, Unauthorized, Unreachable, problem_of, unexpected_response
from evo_todo_client.tokens import Tokens

ATTEMPTS: Final = 3
_UNAUTHORIZED: Final = 401
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
_LONGEST_WAIT: Final = 10.0
_BACKOFF: Final = 0.25


@dataclass(frozen=True, slots=True)
class Call:
    """A request without its token. Paths are relative to the base URL."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    silence: float | None = None
    """Keep the response open, with so many seconds without a byte before it counts as broken."""

    @property
    def is_repeatable(self) -> bool:
        return self.silence is None and (self.method == "GET" or "Idempotency-Key" in self.headers)


class Session:
    """What all calls of a client share."""

    def __init__(self, base_url: str, network: Network) -> None:
        self._base_url, self.network = _checked(base_url), network
        self.tokens = Tokens(network.fetch_token, network.lock)

    async def body(self, call: Call) -> dict[str, Any]:
        """The JSON object of the response. Raises as `send` does, also for a success that is not the API's."""
        try:
            body = (await self.send(call)).json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise unexpected_response()
        return body

    async def send(self, call: Call) -> httpx.Response:
        """The successful response.

        Raises:
            ApiProblem: an error response; Unauthorized when the session has ended.
            Unreachable: no response.
        """
        for failures in range(1, ATTEMPTS):
            try:
                return (await self.open(call))[0]
            except (ApiProblem, Unreachable) as failure:
                delay = _delay(failure, failures) if call.is_repeatable else None
                if delay is None:
                    raise
                await self.network.sleep(delay)
                if self.network.is_closed:
                    raise
        return (await self.open(call))[0]

    async def open(self, call: Call) -> tuple[httpx.Response, str]:
        """The successful response to one attempt, and the token that it was given for. Raises as `send` does."""
        token = await self.tokens.get()
        response = await self._response(call, token)
        if response.status_code == _UNAUTHORIZED:
            token = await self.tokens.get(rejected=token)
            response = await self._response(call, token)
        if response.is_success:
            return response, token
        problem = problem_of(response)
        if isinstance(problem, Unauthorized):
            self.tokens.clear()
        raise problem

    async def _response(self, call: Call, token: str) -> httpx.Response:
        http, headers = self.network.http, call.headers | {"Authorization": f"Bearer {token}"}
        url = self._base_url + call.path
        request = http.build_request(call.method, url, params=call.params or None, json=call.json, headers=headers)
        if call.silence is not None:
            request.extensions["timeout"] = request.extensions["timeout"] | {"read": call.silence}
        try:
            response = await self.network.send(request)
            if call.silence is None or not response.is_success:
                try:
                    await self.network.read(response)
                finally:
                    await self.network.close(response)
        except httpx.RequestError as error:
            raise Unreachable from error
        return response


def _checked(base_url: str) -> str:
    """Raises ValueError for what no path can be appended to."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ValueError("base_url: must be an http or https URL that ends in /api, without a query")
    return base_url.rstrip("/")


def _delay(failure: ApiProblem | Unreachable, failures: int) -> float | None:
    """Seconds until the next attempt; `None`: don't. Full jitter, so that clients do not return in step."""
    backoff = random.random() * _BACKOFF * 2.0**failures  # noqa: S311  (no secret)
    if isinstance(failure, Unreachable):
        return backoff
    if failure.status not in _TRANSIENT:
        return None
    if failure.retry_after is None:
        return backoff
    return failure.retry_after + backoff if failure.retry_after <= _LONGEST_WAIT else None
