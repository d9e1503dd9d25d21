"""What an attacker sends, and what must become of it."""

from collections.abc import Iterable

import httpx

from tests.support.api import Api

TASKS = "/api/alice/tasks"
CHALLENGE = 'Bearer error="invalid_token", error_description="'


async def send(api: Api, token: str, path: str = TASKS) -> httpx.Response:
    """A request with this token, whatever is in it."""
    return await api.http.get(path, headers=[(b"Authorization", f"Bearer {token}".encode("utf-8", "surrogatepass"))])


async def assert_taken(api: Api, *tokens: str) -> None:
    """What is compared with: these are good."""
    for token in tokens:
        assert (await send(api, token)).status_code == 200


async def assert_refused(api: Api, tokens: Iterable[str]) -> None:
    """401, with one of our own sentences, and nothing of what was sent in the answer."""
    for token in tokens:
        answer = await send(api, token)
        assert answer.status_code == 401, token[:80]
        assert answer.headers["WWW-Authenticate"].startswith(CHALLENGE)
        assert answer.headers["Content-Type"] == "application/problem+json"
        pieces = {piece for piece in token.split(".") if len(piece) > 12}
        assert not {piece for piece in pieces if piece in answer.text + str(answer.headers)}
