"""Idempotency-Key as clients see it: inherited by one test class per storage."""

import asyncio

import httpx
import pytest

from tests.support.api import Api

LIST = "/api/alice/tasks"
SENT = {"content-type", "content-length", "etag", "location"}


async def create(api: Api, key: str | None, body: bytes = b'{"title":"Buy milk"}', path: str = LIST) -> httpx.Response:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
    return await api("POST", path, content=body, headers=headers)


async def count(api: Api) -> int:
    return int((await api("GET", LIST)).json()["count"])


def kept(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    return answer.status_code, answer.content, {name: answer.headers[name] for name in SENT}


class IdempotencyOverHttpContract:
    @pytest.fixture
    def api(self) -> Api:
        raise NotImplementedError("each storage's class returns its own")

    @pytest.mark.parametrize("path", [LIST, f"{LIST}/"])
    async def test_a_retry_gets_the_first_answer_byte_for_byte(self, api: Api, path: str) -> None:
        first = await create(api, "k-1", path=path)
        assert first.status_code == 201
        assert "Idempotency-Replayed" not in first.headers
        again = await create(api, "k-1", path=path)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert kept(again) == kept(first)
        await api("PUT", first.headers["Location"], json={"title": "Bread"})
        assert kept(await create(api, "k-1", path=path)) == kept(first)
        await api("DELETE", first.headers["Location"])
        assert kept(await create(api, "k-1", path=path)) == kept(first)
        assert await count(api) == 0

    @pytest.mark.parametrize(
        "body", [b'{"title":"Bread"}', b'{"title":"Buy milk" }', b'{"title":"Buy milk","description":null}']
    )
    async def test_another_body_is_refused(self, api: Api, body: bytes) -> None:
        await create(api, "k-1")
        refused = await create(api, "k-1", body)
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:problem-type:evo-todo:idempotency-key-reused"
        assert await count(api) == 1

    async def test_quotes_are_not_part_of_the_key(self, api: Api) -> None:
        for plain, quoted in (
            ("k-1", '"k-1"'),
            ("a\\b", '"a\\\\b"'),
            ('a"b', '"a\\"b"'),
            ("x" * 255, f'"{"x" * 255}"'),
        ):
            first = await create(api, plain)
            assert kept(await create(api, quoted)) == kept(first)
        assert await count(api) == 4

    @pytest.mark.parametrize(
        "key",
        ["", '""', '"', '"a', 'a"b"c'[:0] + '"a"b"', "x" * 256, f'"{"x" * 256}"', '"a";p=1', '"\\a"', "a\tb", "\x7f"],
    )
    async def test_a_malformed_key_is_400(self, api: Api, key: str) -> None:
        answer = await create(api, key)
        assert answer.status_code == 400
        assert "Idempotency-Key" in answer.json()["detail"]
        assert await count(api) == 0

    async def test_two_keys_or_other_characters_are_400(self, api: Api) -> None:
        for values in ([b"a", b"b"], ["k\u00e9".encode()], ["\u2603".encode()]):
            headers = [(b"content-type", b"application/json"), *((b"idempotency-key", value) for value in values)]
            token = f"Bearer {api.issuer.token('alice')}".encode()
            answer = await api.http.post(LIST, content=b'{"title":"x"}', headers=[*headers, (b"authorization", token)])
            assert answer.status_code == 400

    async def test_a_refusal_is_not_kept(self, api: Api) -> None:
        assert (await create(api, "k-1", b'{"title":" "}')).status_code == 422
        assert (await create(api, "k-1", b"{")).status_code == 400
        assert (await create(api, "k-1")).status_code == 201

    async def test_a_key_is_its_users_own(self, api: Api) -> None:
        mine = await create(api, "k-1")
        his = await api(
            "POST", "/api/bob/tasks", user="bob", json={"title": "Buy milk"}, headers={"Idempotency-Key": "k-1"}
        )
        assert his.status_code == 201
        assert "Idempotency-Replayed" not in his.headers
        assert his.json()["id"] != mine.json()["id"]

    async def test_of_many_at_once_one_creates(self, api: Api) -> None:
        answers = await asyncio.gather(*(create(api, "k-1") for _ in range(10)))
        assert len({kept(answer)[:2] for answer in answers}) == 1
        assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count("true") == 9
        assert await count(api) == 1

    async def test_without_a_key_each_request_creates(self, api: Api) -> None:
        for _ in range(2):
            assert (await create(api, None)).status_code == 201
        assert await count(api) == 2
