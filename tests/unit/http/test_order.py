"""The first that fails answers: 401, 503, 403, then 404 and 405, then 400, 413, 415 and 422 (A3)."""

import httpx
import pytest

from tests.contracts.tasks_over_http import LIST, NOBODYS, problem
from tests.support.api import Api, InMemory, KeysOf, running

BAD = {"Authorization": "Bearer no.good.token"}
EVERY_CALL = [
    ("GET", LIST),
    ("POST", LIST),
    ("GET", f"{LIST}/{NOBODYS}"),
    ("PUT", f"{LIST}/{NOBODYS}"),
    ("PATCH", f"{LIST}/{NOBODYS}"),
    ("DELETE", f"{LIST}/{NOBODYS}"),
    ("PATCH", f"{LIST}/{NOBODYS}/complete"),
    ("POST", f"{LIST}/{NOBODYS}/restore"),
    ("GET", f"{LIST}/changes"),
    ("GET", f"{LIST}/events"),
    ("OPTIONS", LIST),
    ("HEAD", LIST),
]
WRONG_CALLS = [
    ("DELETE", LIST),
    ("TRACE", LIST),
    ("PROPFIND", LIST),
    ("POST", f"{LIST}/{NOBODYS}"),
    ("GET", f"{LIST}/{NOBODYS}/complete"),
    ("GET", f"{LIST}/{NOBODYS}/restore"),
    ("GET", f"{LIST}/{NOBODYS}/nowhere"),
    ("GET", "/api/alice"),
    ("GET", "/api"),
    ("GET", "/nowhere"),
    ("GET", "/schema"),
    ("GET", "//api/alice/tasks"),
    ("GET", "//health"),
    ("GET", "/health/../api/alice/tasks"),
]


def spelled(path: str) -> httpx.URL:
    """The path to the letter: httpx would take what follows two slashes for a host."""
    return httpx.URL("http://api.test").copy_with(raw_path=path.encode())


@pytest.mark.parametrize(("method", "path"), EVERY_CALL + WRONG_CALLS)
async def test_without_credentials_every_path_but_the_public_ones_is_401(api: Api, method: str, path: str) -> None:
    answer = await api.http.request(method, spelled(path), content="{")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    if method != "HEAD":
        assert "Authorization" in problem(answer, 401)["detail"]


@pytest.mark.parametrize(("method", "path"), EVERY_CALL + WRONG_CALLS)
async def test_a_bad_token_is_401_with_the_error_code_and_nothing_of_the_token(
    api: Api, method: str, path: str
) -> None:
    answer = await api.http.request(method, spelled(path), headers=BAD)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="invalid_token", error_description="The token is malformed."'
    )
    assert "no.good" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/docs", "/openapi.json", "/", "/docs/"])
async def test_public_paths_need_no_token_and_ignore_an_invalid_one(api: Api, path: str) -> None:
    for headers in ({}, BAD):
        assert (await api.http.get(path, headers=headers)).status_code in {200, 307}


@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("GET", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("GET", "/x"),
        ("PUT", "/x"),
        ("POST", "/x"),
        ("POST", "/x/restore"),
        ("GET", "/x/y/z"),
    ],
)
async def test_another_users_path_is_403_before_anything_else(api: Api, method: str, suffix: str) -> None:
    for content, headers in (("{", {}), ("x" * 70_000, {"Content-Type": "text/plain"}), ("", {"If-Match": "x"})):
        problem(await api(method, f"/api/bob/tasks{suffix}", content=content, headers=headers), 403)
    problem(await api("GET", "/api/bob/tasks?limit=0"), 403)


async def test_a_path_is_compared_once_decoded_and_to_the_letter(api: Api) -> None:
    assert (await api("GET", "/api/%61lice/tasks")).status_code == 200
    for path in ("/api/Alice/tasks", "/api/alice%20/tasks", "/api/%2561lice/tasks", "/api/alice%00/tasks"):
        problem(await api("GET", path), 403)


async def test_an_unsupported_method_is_405_and_the_response_lists_the_supported_ones(api: Api) -> None:
    for method in ("DELETE", "PUT", "PATCH", "TRACE", "PROPFIND"):
        answer = await api(method, LIST, content="{")
        assert problem(answer, 405)["detail"]
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    answer = await api("POST", f"{LIST}/{NOBODYS}")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        answer = await api(method, f"{LIST}/{NOBODYS}/restore", content="{")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


async def test_options_lists_the_methods(api: Api) -> None:
    for path, allowed in (
        (LIST, "GET, HEAD, OPTIONS, POST"),
        (f"{LIST}/x", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        (f"{LIST}/x/complete", "OPTIONS, PATCH"),
        (f"{LIST}/x/restore", "OPTIONS, POST"),
    ):
        answer = await api("OPTIONS", path)
        assert (answer.status_code, answer.headers["Allow"], answer.content) == (204, allowed, b"")
    problem(await api("OPTIONS", "/api/bob/tasks"), 403)
    problem(await api("OPTIONS", f"{LIST}/x/nowhere"), 404)


async def test_what_is_not_json_is_400_before_there_is_a_task_or_not(api: Api) -> None:
    as_json = {"Content-Type": "application/json"}
    problem(await api("PUT", f"{LIST}/{NOBODYS}", content="{", headers=as_json), 400)
    problem(await api("PUT", f"{LIST}/{NOBODYS}", json={"title": 5}), 422)
    problem(await api("POST", f"{LIST}/{NOBODYS}/restore", content="{", headers=as_json), 400)
    problem(await api("POST", f"{LIST}/{NOBODYS}/restore", json={"title": "x"}), 422)
    problem(await api("POST", f"{LIST}/{NOBODYS}/restore", headers={"If-Match": '"9"'}), 404)
    problem(await api("PUT", f"{LIST}/{NOBODYS}", json={}, headers={"If-Match": '"9"'}), 404)


async def test_an_issuer_without_keys_is_503_but_a_malformed_token_is_still_401() -> None:
    async with running(InMemory()) as api:
        good = api.issuer.token("alice")

    class NoKeys(KeysOf):
        """An issuer that has not made a key yet."""

    keyless = NoKeys(api.issuer)
    async with running(InMemory(), keyless) as api:
        keyless.issuer = Keyless()  # type: ignore[assignment]  # as an issuer before its first sign-in
        answer = await api.http.get(LIST, headers={"Authorization": f"Bearer {good}"})
        assert "try again later" in problem(answer, 503)["detail"]
        assert int(answer.headers["Retry-After"]) >= 1
        problem(await api.http.get(LIST, headers=BAD), 401)
        problem(await api.http.get("/readyz"), 503)
        assert (await api.http.get("/livez")).status_code == 200


class Keyless:
    """Publishes an empty set."""

    @staticmethod
    def jwks() -> dict[str, list[object]]:
        return {"keys": []}
