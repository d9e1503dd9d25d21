from collections.abc import AsyncIterator

import pytest

from tests.contracts.tasks_over_http import LIST, errors, problem
from tests.support.api import Api

AS_JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"{'title':'x'}",
        b'{"title":NaN}',
        b'{"title":"a\nb"}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"title":"\xff',
        b'{"title":"\\x"}',
        b'{"x":' * 100_00 + b"1",
        b'{"x":' * 10_000,
    ],
)
async def test_what_is_not_json_is_400(api: Api, body: bytes) -> None:
    assert "JSON" in problem(await api("POST", LIST, content=body, headers=AS_JSON), 400)["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"title":"\xff"}',
        b'{"title":"\xc3\x28"}',
        b'{"title":"\xed\xa0\x80"}',
        b'{"title":"\\ud800"}',
        b'{"title":"\\udc00\\ud800"}',
        b'{"title":"a\\u0000b"}',
    ],
)
async def test_text_that_no_store_can_hold_is_422(api: Api, body: bytes) -> None:
    assert errors(await api("POST", LIST, content=body, headers=AS_JSON))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"title":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"title":' + b"1" * 6000 + b"}",
        b'{"x":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"title":1e999}',
    ],
)
async def test_a_hostile_shape_is_a_client_error_and_never_a_server_error(api: Api, body: bytes) -> None:
    answer = await api("POST", LIST, content=body, headers=AS_JSON)
    assert answer.status_code in {400, 422}


async def test_an_escaped_pair_of_surrogates_is_a_character(api: Api) -> None:
    answer = await api("POST", LIST, content=b'{"title":"\\ud83d\\ude00"}', headers=AS_JSON)
    assert answer.json()["title"] == "😀"


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "json",
        "application/json; charset=utf-16",
        "application/problem+json",
        "application/merge-patch+json",
        "",
        "*/*",
    ],
)
async def test_another_media_type_is_415_and_says_what_is_taken(api: Api, media_type: str) -> None:
    answer = await api("POST", LIST, content=b'{"title":"x"}', headers={"Content-Type": media_type})
    assert "application/json" in problem(answer, 415)["detail"]


async def test_a_body_without_a_media_type_is_415(api: Api) -> None:
    problem(await api("POST", LIST, content=b'{"title":"x"}'), 415)


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_may_say_that_it_is_utf_8(api: Api, media_type: str) -> None:
    answer = await api("POST", LIST, content=b'{"title":"x"}', headers={"Content-Type": media_type})
    assert answer.status_code == 201


async def test_patch_says_which_media_types_it_takes(api: Api) -> None:
    task = await api.task()
    answer = await api("PATCH", f"{LIST}/{task['id']}", content=b"{}", headers={"Content-Type": "text/plain"})
    assert problem(answer, 415)
    assert answer.headers["Accept-Patch"] == "application/json, application/merge-patch+json"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip", "x"])
async def test_an_encoded_body_is_415(api: Api, coding: str) -> None:
    headers = AS_JSON | {"Content-Encoding": coding}
    problem(await api("POST", LIST, content=b'{"title":"x"}', headers=headers), 415)


async def test_a_body_above_64_kib_is_413_also_when_it_comes_in_chunks(api: Api) -> None:
    large = b'{"title":"' + b"x" * 65_536 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    problem(await api("POST", LIST, content=large, headers=AS_JSON), 413)
    problem(await api("POST", LIST, content=chunks(), headers=AS_JSON), 413)
    fits = b'{"title":"x"}' + b" " * (65_536 - 13)
    assert (await api("POST", LIST, content=fits, headers=AS_JSON)).status_code == 201
