"""The code of docs/how-to/your-own-app.md under the attacks that the service is tested with."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.security import test_tokens
from tests.support.api import Api
from tests.support.attacks import TASKS, assert_accepted, assert_refused, send
from tests.support.own_apps import BASE_URL, Published
from tests.support.tokens import Issuer

APPS = ["fastapi_app", "starlette_app", "litestar_app"]
ATTACKS = [
    test_tokens.test_r01_credentials_come_from_one_authorization_header_and_nowhere_else,
    test_tokens.test_r02_a_token_is_short_three_parts_and_of_its_alphabet,
    test_tokens.test_r03_base64url_has_one_spelling,
    test_tokens.test_r04_the_header_is_one_strict_json_object,
    test_tokens.test_r05_the_algorithm_is_one_of_two_names,
    test_tokens.test_r07_the_key_is_found_by_its_exact_name,
    test_tokens.test_r08_no_key_comes_with_the_token,
    test_tokens.test_r09_extensions_are_not_understood,
    test_tokens.test_r10_another_kind_of_token_of_the_same_key_is_none,
    test_tokens.test_r11_a_signature_is_of_this_key_over_this_token_and_has_one_form,
    test_tokens.test_r12_the_payload_is_one_strict_json_object_and_nothing_else,
    test_tokens.test_r13_the_issuer_is_the_configured_one_to_the_letter,
    test_tokens.test_r14_the_audience_holds_ours_to_the_letter,
    test_tokens.test_r15_dates_are_finite_numbers_and_a_token_is_of_now,
    test_tokens.test_r16_the_subject_is_a_valid_user_id,
]


@pytest.fixture(params=APPS)
async def api(request: pytest.FixtureRequest, load: Callable[[str], Any], published: Published) -> AsyncIterator[Api]:
    app = load(request.param)

    async def at_the_notes(scope: Any, receive: Any, send: Any) -> None:
        """The attacks are written for a list of tasks; the page's apps have notes."""
        scope |= {"path": "/notes", "raw_path": b"/notes", "method": "GET"}
        await app(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(at_the_notes), base_url="http://app.test") as http:
        yield Api(http, published.issuer)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__.removeprefix("test_"))
async def test_the_attacks_on_the_service_fail_here_too(attack: Callable[[Api], Awaitable[None]], api: Api) -> None:
    await attack(api)


async def test_whatever_is_sent_is_refused_and_nothing_breaks(api: Api) -> None:
    chance = random.Random(20260202)
    token = api.issuer.token("alice")
    await assert_accepted(api, token)
    for place in chance.sample(range(len(token)), 60):
        broken = token[:place] + chance.choice("AZaz09-_.=+/ ~\x7f") + token[place + 1 :]
        if broken != token:
            response = await api.http.get(TASKS, headers={"Authorization": f"Bearer {broken}"})
            assert response.status_code in {401, 503}, broken  # 503: another key ID, and the issuer was just asked


async def statuses(api: Api, *tokens: str) -> set[int]:
    return {response.status_code for response in await asyncio.gather(*(send(api, token) for token in tokens))}


async def test_a_note_belongs_to_its_author(load: Callable[[str], Any], published: Published) -> None:
    transport = httpx.ASGITransport(load("fastapi_app"))
    async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as http:
        alice, bob = ({"Authorization": f"Bearer {published.issuer.token(user)}"} for user in ("alice", "bob"))
        assert (await http.post("/notes?text=milk", headers=alice)).status_code == 201
        assert (await http.get("/notes", headers=alice)).json() == ["milk"]
        assert (await http.get("/notes", headers=bob)).json() == []


VALUES: list[object] = ["x", {}, None]


@pytest.mark.parametrize("claim", ["client_id", "azp", "scope", "cnf", "events"])
async def test_tokens_of_applications_and_bound_tokens_are_refused(api: Api, claim: str) -> None:
    await assert_refused(api, [api.issuer.token("alice", claims={claim: value}) for value in VALUES])


@pytest.mark.parametrize(
    "members", [{"kty": "EC", "crv": "P-256"}, {"crv": "Ed448"}, {"crv": "X25519"}, {"alg": "ES256"}, {"use": "enc"}]
)
async def test_other_keys_are_not_used(api: Api, published: Published, members: dict[str, Any]) -> None:
    published.members = members
    assert await statuses(api, api.issuer.token("alice")) == {503}


async def test_unknown_keys_cause_one_fetch_and_known_ones_go_on(api: Api, published: Published) -> None:
    await assert_accepted(api, api.issuer.token("alice"))
    stranger = Issuer.new("stranger", name=BASE_URL, audience=BASE_URL)
    assert await statuses(api, *(stranger.token("alice", header={"kid": f"k{n}"}) for n in range(20))) == {503}
    assert await statuses(api, api.issuer.token("alice")) == {200}
    assert published.fetches == 1


async def test_without_keys_nobody_is_signed_out(api: Api, published: Published) -> None:
    published.fails = True
    assert await statuses(api, *(api.issuer.token("alice"),) * 5) == {503}
    assert published.fetches == 1
    assert (await api.http.get(TASKS)).status_code == 401
