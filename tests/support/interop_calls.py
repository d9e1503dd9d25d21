"""Requests to the Python service, and decoding of tokens."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx

from tests.support.service import Service

T = TypeVar("T")


def header(token: str) -> dict[str, Any]:
    return _json(token.split(".", maxsplit=1)[0])


def claims(token: str) -> dict[str, Any]:
    return _json(token.split(".")[1])


def _json(segment: str) -> dict[str, Any]:
    found = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    assert isinstance(found, dict)
    return found


def kid(token: str) -> str:
    return str(header(token)["kid"])


def ask(api: Service, token: str, owner: str | None = None) -> httpx.Response:
    """Request the tasks of the token's subject, or of another owner."""
    return api.get(f"/api/{owner or claims(token)['sub']}/tasks", token)


def accepts(api: Service, token: str) -> bool:
    """Whether the API accepts the token; if not, the response must be a proper 401."""
    answer = ask(api, token)
    return answer.status_code == 200 or not _reason(answer)


def refusal(api: Service, token: str, owner: str | None = None) -> str:
    """The reason why the API rejects the token."""
    return _reason(ask(api, token, owner))


def _reason(answer: httpx.Response) -> str:
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    return str(answer.json()["detail"])


def at_once(times: int, call: Callable[[], T]) -> list[T]:
    with ThreadPoolExecutor(times) as threads:
        return [future.result() for future in [threads.submit(call) for _ in range(times)]]
