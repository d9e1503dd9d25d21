"""A client over its limit gets 429 and the time of the next window; others are not affected (A14)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from dishka import Provider, Scope, provide

from adapters.memory.access import MemoryAuditLog, MemoryRateLimiter
from adapters.tokens.jwks_cache import JwksCache
from application.ports import AuditLog, RateLimiter
from tests.contracts.rate_limiters import ManualTime
from tests.contracts.tasks_over_http import LIST, problem
from tests.support.api import ORIGIN, Api, InMemory, running
from tests.support.tokens import Issuer


class ByHand(Provider):
    """A meter whose time stands still until it is moved."""

    scope = Scope.APP

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualTime()
        self.log = MemoryAuditLog()

    @provide
    def meter(self) -> RateLimiter:
        return MemoryRateLimiter(self.clock)

    @provide
    def audit(self) -> AuditLog:
        return self.log


@asynccontextmanager
async def limited(*overrides: Provider, **env: str) -> AsyncIterator[tuple[Api, ByHand]]:
    by_hand = ByHand()
    env = {"EVO_TODO_RATE_LIMIT": "3/minute", "EVO_TODO_ADDRESS_RATE_LIMIT": "2/minute"} | env
    async with running(InMemory(), by_hand, *overrides, **env) as api:
        yield api, by_hand


def limit_headers(answer: httpx.Response) -> tuple[str | None, str | None]:
    return answer.headers.get("RateLimit"), answer.headers.get("RateLimit-Policy")


async def test_every_answer_to_a_user_says_what_is_left_and_the_first_too_many_is_429() -> None:
    async with limited() as (api, by_hand):
        by_hand.clock.seconds += 18.5
        policy = '"default";q=3;w=60'
        asked = [await api("GET", path) for path in (LIST, f"{LIST}/nothing", "/api/bob/tasks", LIST)]
        assert [answer.status_code for answer in asked] == [200, 404, 403, 429]
        assert [limit_headers(answer) for answer in asked] == [
            ('"default";r=2;t=42', policy),
            ('"default";r=1;t=42', policy),
            ('"default";r=0;t=42', policy),
            ('"default";r=0;t=42', policy),
        ]
        assert asked[-1].headers["Retry-After"] == "42"
        assert problem(asked[-1], 429)["type"] == "urn:problem-type:evo-todo:too-many-requests"
        assert not any("Retry-After" in answer.headers for answer in asked[:-1])
        by_hand.clock.seconds += 42
        assert (await api("GET", LIST)).status_code == 200


async def test_nothing_is_done_for_a_request_that_is_one_too_many() -> None:
    async with limited() as (api, by_hand):
        for number in range(3):
            await api.task(f"Task {number}")
        assert (await api("POST", LIST, json={"title": "One more"})).status_code == 429
        by_hand.clock.seconds += 60
        assert (await api("GET", LIST)).json()["count"] == 3


async def test_a_user_who_asks_too_much_takes_nothing_from_another() -> None:
    async with limited() as (api, _):
        for _ in range(5):
            await api("GET", LIST)
        assert (await api("GET", "/api/bob/tasks", user="bob")).status_code == 200


async def test_a_user_is_the_same_with_another_token_and_another_spelling_of_the_path() -> None:
    async with limited() as (api, _):
        tokens = [api.issuer.token(jti=str(number)) for number in range(4)]
        asked = [await api.http.get(LIST, headers={"Authorization": f"Bearer {token}"}) for token in tokens]
        assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
        assert (await api("GET", "//api/alice/tasks")).status_code == 429


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eDp5"}])
async def test_an_address_without_a_valid_token_gets_401_and_then_429(headers: dict[str, str]) -> None:
    async with limited() as (api, _):
        asked = [await api.http.get(LIST, headers=headers) for _ in range(4)]
        assert [answer.status_code for answer in asked] == [401, 401, 429, 429]
        assert limit_headers(asked[0]) == ('"address";r=1;t=60', '"address";q=2;w=60')
        assert "WWW-Authenticate" not in asked[-1].headers
        assert asked[-1].headers["Retry-After"] == "60"


async def test_where_the_address_is_over_its_limit_known_tokens_work_and_new_ones_are_not_verified() -> None:
    async with limited() as (api, by_hand):
        forger, known = Issuer.new(), {"Authorization": f"Bearer {api.issuer.token(jti='known')}"}
        new = {"Authorization": f"Bearer {api.issuer.token(jti='new')}"}
        assert (await api.http.get(LIST, headers=known)).status_code == 200
        for _ in range(5):
            await api.http.get(LIST, headers={"Authorization": f"Bearer {forger.token()}"})
        assert (await api.http.get(LIST, headers=known)).status_code == 200
        refused = await api.http.get(LIST, headers=new)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        assert limit_headers(refused) == ('"address";r=0;t=60', '"address";q=2;w=60')
        by_hand.clock.seconds += 60
        assert (await api.http.get(LIST, headers=new)).status_code == 200


async def test_an_address_that_has_reached_its_limit_but_not_exceeded_it_may_bring_a_new_token() -> None:
    async with limited() as (api, _):
        assert [(await api.http.get(LIST)).status_code for _ in range(2)] == [401, 401]
        assert (await api("GET", LIST)).status_code == 200


async def test_requests_with_a_valid_token_do_not_count_against_the_address() -> None:
    async with limited() as (api, _):
        for _ in range(10):
            await api("GET", LIST)
        assert (await api.http.get(LIST)).status_code == 401


async def test_a_path_that_does_not_exist_counts_too() -> None:
    async with limited() as (api, _):
        asked = [await api.http.get("/nowhere") for _ in range(3)]
        assert [answer.status_code for answer in asked] == [401, 401, 429]


async def test_public_paths_and_preflights_are_not_limited() -> None:
    async with limited() as (api, _):
        for path in ("/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"):
            for _ in range(5):
                answer = await api.http.get(path)
                assert answer.status_code == 200
                assert limit_headers(answer) == (None, None)
        preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
        for _ in range(5):
            assert (await api.http.options(LIST, headers=preflight)).status_code == 204


async def test_a_page_in_a_browser_can_read_when_to_come_back() -> None:
    async with limited() as (api, _):
        asked = [await api("GET", LIST, headers={"Origin": ORIGIN}) for _ in range(4)]
        assert asked[-1].status_code == 429
        for answer in asked:
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
            exposed = set(re.split(", ?", answer.headers["Access-Control-Expose-Headers"]))
            assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= exposed


class NoKeys(Provider):
    scope = Scope.APP

    @provide
    def keys(self) -> JwksCache:
        async def fetch() -> dict[str, object]:
            raise OSError

        return JwksCache(fetch)  # type: ignore[arg-type]  # it never answers


async def test_tokens_that_cannot_be_verified_without_keys_count_against_their_address() -> None:
    async with limited(NoKeys()) as (api, _):
        asked = [await api("GET", LIST) for _ in range(4)]
        assert [answer.status_code for answer in asked] == [503, 503, 429, 429]
        assert limit_headers(asked[0]) == ('"address";r=1;t=60', '"address";q=2;w=60')
        assert all(answer.headers["Retry-After"] for answer in asked)


async def test_limits_that_are_off_limit_nobody_and_say_nothing() -> None:
    async with limited(EVO_TODO_RATE_LIMIT="off", EVO_TODO_ADDRESS_RATE_LIMIT="off") as (api, _):
        for _ in range(10):
            assert limit_headers(await api("GET", LIST)) == (None, None)
            refused = await api.http.get(LIST)
            assert (refused.status_code, limit_headers(refused)) == (401, (None, None))


async def test_the_audit_log_says_whose_limit_was_hit_once() -> None:
    async with limited() as (api, by_hand):
        for _ in range(6):
            await api("GET", LIST, headers={"X-Request-Id": "r-1"})
        hits = [event for event in by_hand.log.events if event.kind == "limit-hit"]
        assert [(hit.user_id, hit.reason, hit.context and hit.context.request_id) for hit in hits] == [
            ("alice", "user-limit", "r-1")
        ]


PROXIES = {"EVO_TODO_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"}  # httpx's transport says it comes from 127.0.0.1


async def statuses(api: Api, *forwarded_for: str) -> list[int]:
    return [(await api.http.get(LIST, headers={"X-Forwarded-For": value})).status_code for value in forwarded_for]


async def test_an_untrusted_peer_cannot_claim_another_address() -> None:
    async with limited() as (api, _):
        assert await statuses(api, *(f"192.0.2.{number}" for number in range(4))) == [401, 401, 429, 429]


async def test_the_client_that_a_trusted_proxy_names_is_counted() -> None:
    async with limited(**PROXIES) as (api, _):
        assert await statuses(api, *(f"192.0.2.{number}" for number in range(4))) == [401] * 4
        assert await statuses(api, *(f"{made_up}.2.3.4, 192.0.2.1, 10.0.0.1" for made_up in range(3))) == [
            401,
            429,
            429,
        ]
