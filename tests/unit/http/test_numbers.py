"""Numbers that Python can't convert, and what else is hostile in members that are ignored."""

import base64

import pytest

from tests.contracts.tasks_over_http import LIST, errors, problem
from tests.support.api import Api

AS_JSON = {"Content-Type": "application/json"}
HUGE = [
    b"1" * 4301,
    b"-" + b"9" * 30_000,
    b"1." + b"7" * 5000,
    b"1e999999",
    b"-1E+99999999999999999999",
    b"1e-999999999999",
    b"[" + b"1" * 4301 + b',{"x":' + b"1" * 4301 + b"}]",
]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("member", ["id", "user_id", "created_at", "updated_at", "revision"])
async def test_any_number_in_a_member_that_the_server_sets_is_ignored(api: Api, member: str, number: bytes) -> None:
    one = f"{LIST}/{(await api.task())['id']}"
    body = b'{"title":"Bread","%b":%b}' % (member.encode(), number)
    created = await api("POST", LIST, content=body, headers=AS_JSON)
    assert (created.status_code, created.json()["title"]) == (201, "Bread")
    for method in ("PUT", "PATCH"):
        changed = await api(method, one, content=body, headers=AS_JSON)
        assert (changed.status_code, changed.json()["title"]) == (200, "Bread")


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("member", ["title", "description", "completed"])
async def test_a_number_in_a_text_member_is_named_by_a_pointer(api: Api, member: str, number: bytes) -> None:
    one = f"{LIST}/{(await api.task())['id']}"
    body = b'{"%b":%b}' % (member.encode(), number)
    complete = [("PATCH", f"{one}/complete")] if member == "completed" else []
    for method, path in (("PUT", one), ("PATCH", one), *complete):
        refused = await api(method, path, content=body, headers=AS_JSON)
        assert [error["pointer"] for error in errors(refused)] == [f"/{member}"]
    unknown = await api("PUT", one, content=b'{"revision":%b,"x":%b}' % (number, number), headers=AS_JSON)
    assert [error["pointer"] for error in errors(unknown)] == ["/x"]


async def test_a_number_that_breaks_off_is_not_json(api: Api) -> None:
    for number in (b"1" * 5000 + b"x", b"1" * 5000 + b".", b"01", b"1e", b"-", b"NaN", b"Infinity", b"0x1"):
        body = b'{"title":"x","revision":%b}' % number
        assert "JSON" in problem(await api("POST", LIST, content=body, headers=AS_JSON), 400)["detail"]


@pytest.mark.parametrize("depth", [2000, 30_000])
@pytest.mark.parametrize("member", ["title", "revision", "x"])
async def test_deep_nesting_is_reported_as_such(api: Api, member: str, depth: int) -> None:
    body = b'{"%b":%b1%b}' % (member.encode(), b"[" * depth, b"]" * depth)
    assert errors(await api("POST", LIST, content=body, headers=AS_JSON))


async def test_a_member_that_is_ignored_is_utf_8_too(api: Api) -> None:
    refused = await api("POST", LIST, content=b'{"title":"x","revision":"\xff"}', headers=AS_JSON)
    assert "UTF-8" in errors(refused)[0]["detail"]
    nested = b'{"title":"x","revision":{"a":[{},null,"\xc3\xa9"],"a":1}}'
    assert (await api("POST", LIST, content=nested, headers=AS_JSON)).status_code == 201


async def test_of_two_members_of_one_name_the_last_counts(api: Api) -> None:
    body = b'{"title":' + b"1" * 4301 + b',"title":"x"}'
    assert errors(await api("POST", LIST, content=body, headers=AS_JSON))
    body = b'{"revision":' + b"1" * 4301 + b',"title":"x","revision":1e999,"title":"y"}'
    assert (await api("POST", LIST, content=body, headers=AS_JSON)).json()["title"] == "y"


@pytest.mark.parametrize(
    "content",
    [
        b'["%b","2026-01-01T00:00:00Z","019a0c2f-7d00-7abc-8def-0123456789ab"]' % (b"1" * 10),
        b"[" + b"1" * 4301 + b"]",
        b'["x",' + b"1" * 4301 + b"]",
        b'["x",1e999999,1]',
        b'["x","2026-01-01T00:00:00Z",' + b"1" * 4301 + b"]",
        b'["x","2026-01-01T00:00:00Z","019a0c2f-7d00-7abc-8def-0123456789ab",' + b"1" * 4301 + b"]",
        b"[" * 3000 + b"]" * 3000,
        b"1" * 4301,
        b'["\xff"]',
    ],
)
async def test_a_hostile_cursor_is_no_cursor(api: Api, content: bytes) -> None:
    cursor = base64.urlsafe_b64encode(content).decode().rstrip("=")
    refused = problem(await api("GET", f"{LIST}?cursor={cursor}"), 422)
    assert refused["errors"][0]["parameter"] == "cursor"


async def test_no_number_is_too_long_for_a_limit_or_a_condition(api: Api) -> None:
    one = f"{LIST}/{(await api.task())['id']}"
    for limit in ("1" * 4301, "1e999", "٣", "-1", "+1", "1_0", "0" * 5000 + "1"):
        assert problem(await api("GET", LIST, params={"limit": limit}), 422)["errors"][0]["parameter"] == "limit"
    huge = f'"{"9" * 4301}"'
    assert (await api("GET", one, headers={"If-None-Match": huge})).status_code == 200
    problem(await api("PUT", one, json={}, headers={"If-Match": huge}), 412)
    problem(await api("GET", f"{LIST}/{'9' * 4301}"), 404)


async def test_more_words_than_a_search_takes_are_refused_with_words_on_what_to_do(api: Api) -> None:
    for text in ("a b c d e f g h i", 'a a a a a a a a "a b"'):
        refused = problem(await api("GET", LIST, params={"q": text}), 422)
        assert refused["errors"][0]["parameter"] == "q"
        assert "8 words" in refused["detail"]
        assert "leave some out" in refused["detail"]
    assert (await api("GET", LIST, params={"q": 'a b c d e f g "h i j"'})).status_code == 200
