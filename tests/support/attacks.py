"""Send hostile tokens over HTTP, and assert that they are refused."""

from collections.abc import Iterable

import httpx

from tests.support.api import Api

TASKS = "/api/alice/tasks"
CHALLENGE = 'Bearer error="invalid_token", error_description="'


async def send(api: Api, token: str, path: str = TASKS) -> httpx.Response:
    """A request with this token, of any characters."""
    return await api.http.get(path, headers=[(b"Authorization", f"Bearer {token}".encode("utf-8", "surrogatepass"))])


async def assert_accepted(api: Api, *tokens: str) -> None:
    """Assert that valid tokens get 200: the control for the refused ones."""
    for token in tokens:
        assert (await send(api, token)).status_code == 200


async def assert_refused(api: Api, tokens: Iterable[str]) -> None:
    """Assert 401 with one of our fixed reasons, and that the response repeats no part of the token."""
    for token in tokens:
        response = await send(api, token)
        assert response.status_code == 401, token[:80]
        assert response.headers["WWW-Authenticate"].startswith(CHALLENGE)
        assert response.headers["Content-Type"] == "application/problem+json"
        pieces = {piece for piece in token.split(".") if len(piece) > 12}
        assert not {piece for piece in pieces if piece in response.text + str(response.headers)}
