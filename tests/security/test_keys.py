"""K1 to K10: fetching the issuer's keys, attacked by a misbehaving issuer and by tokens with unknown key IDs."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from attrs import define, field
from dishka import Provider, Scope, provide

from adapters.tokens.jwks import FETCH_TIMEOUT, HttpJwks, JwksFetchError, PublicKey, key_set_client, parse_key_set
from adapters.tokens.jwks_cache import FIRST_BACKOFF, MAX_BACKOFF, JwksCache, JwksCacheConfig
from application.background import Backoff
from domain.errors import InvalidToken, KeysUnavailable
from entrypoints.asgi import create_app
from tests.support.api import Api, InMemory, lifespan, settings
from tests.support.attacks import TASKS
from tests.support.fake_issuer import ManualTime
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.tokens import Issuer


@define
class PublishedAs:
    """An issuer that publishes its key with other members, or that fails."""

    members: dict[str, Any] = field(factory=dict)
    signer: Issuer = field(factory=Issuer.new)
    fetches: int = 0
    fails: bool = False

    async def fetch(self) -> Mapping[str, PublicKey]:
        self.fetches += 1
        if self.fails:
            raise JwksFetchError("unreachable")
        try:
            return parse_key_set(json.dumps({"keys": [self.signer.jwk(**self.members)]}).encode())
        except ValueError as error:
            raise JwksFetchError(str(error)) from error


class KeysFrom(Provider):
    scope = Scope.APP

    def __init__(self, issuer: PublishedAs, clock: ManualTime) -> None:
        super().__init__()
        self.issuer, self.clock = issuer, clock

    @provide
    def keys(self) -> JwksCache:
        backoff = Backoff(FIRST_BACKOFF, MAX_BACKOFF, lambda: 0.0)
        return JwksCache(self.issuer.fetch, JwksCacheConfig(), self.clock, backoff)


@asynccontextmanager
async def speaking_for(issuer: PublishedAs, clock: ManualTime | None = None) -> AsyncIterator[Api]:
    app = create_app(
        settings(EVO_TODO_RATE_LIMIT="off", EVO_TODO_ADDRESS_RATE_LIMIT="off"),
        KeysFrom(issuer, clock or ManualTime()),
        InMemory(),
    )
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar and httpx type ASGI differently
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
        yield Api(http, issuer.signer)


async def statuses(api: Api, *tokens: str) -> list[int]:
    responses = await asyncio.gather(
        *(api.http.get(TASKS, headers={"Authorization": f"Bearer {token}"}) for token in tokens)
    )
    return [response.status_code for response in responses]


def unknown(number: int) -> str:
    return Issuer.new(f"unknown-{number}").token("alice")


async def test_k01_one_fetch_at_a_time_and_a_cancelled_waiter_does_not_cancel_it() -> None:
    gate, fetches, issuer = asyncio.Event(), 0, PublishedAs()

    async def slow() -> Mapping[str, PublicKey]:
        nonlocal fetches
        fetches += 1
        await gate.wait()
        return await issuer.fetch()

    keys = JwksCache(slow)
    waiters = [asyncio.create_task(keys.find(issuer.signer.kid)) for _ in range(20)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert fetches == 1
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(result, PublicKey) for result in results[1:])


async def test_k02_a_known_key_does_not_wait_for_a_refresh_that_another_caused() -> None:
    gate, issuer = asyncio.Event(), PublishedAs()

    async def slow() -> Mapping[str, PublicKey]:
        if issuer.fetches:
            await gate.wait()
        return await issuer.fetch()

    keys = JwksCache(slow)
    await keys.find(issuer.signer.kid)
    stranger = asyncio.create_task(keys.find("unknown"))
    await asyncio.sleep(0)
    assert (await keys.find(issuer.signer.kid)).kid == issuer.signer.kid
    assert not stranger.done()
    gate.set()
    with pytest.raises(InvalidToken):
        await stranger


async def test_k03_a_flood_of_unknown_keys_causes_one_fetch_per_cooldown_and_hides_no_rotation() -> None:
    issuer, clock = PublishedAs(), ManualTime()
    async with speaking_for(issuer, clock) as api:
        assert await statuses(api, issuer.signer.token("alice")) == [200]
        before = issuer.fetches
        assert set(await statuses(api, *(unknown(number) for number in range(30)))) == {401}
        assert issuer.fetches == before + 1
        issuer.signer = Issuer.new("rotated")
        for second in range(30):
            clock.advance(1)
            await statuses(api, unknown(second))
        assert await statuses(api, issuer.signer.token("alice")) == [200]
        assert issuer.fetches == before + 2


async def test_k04_a_failed_fetch_keeps_the_old_keys_and_backs_off() -> None:
    issuer, clock = PublishedAs(), ManualTime()
    async with speaking_for(issuer, clock) as api:
        token = issuer.signer.token("alice")
        assert await statuses(api, token) == [200]
        issuer.fails = True
        clock.advance(601)
        before = issuer.fetches
        assert set(await statuses(api, *[token] * 20)) == {200}
        assert issuer.fetches == before + 1
        clock.advance(0.9)
        await statuses(api, token)
        assert issuer.fetches == before + 1, "not even a second has passed"


async def test_k05_keys_have_a_ttl_and_a_hard_limit() -> None:
    issuer, clock = PublishedAs(), ManualTime()
    async with speaking_for(issuer, clock) as api:
        token = issuer.signer.token("alice")
        assert await statuses(api, token) == [200]
        old, issuer.signer = issuer.signer, Issuer.new("new")
        clock.advance(601)
        assert await statuses(api, old.token("alice"), issuer.signer.token("alice")) == [401, 200]
        issuer.fails = True
        clock.advance(86_399)
        assert await statuses(api, issuer.signer.token("alice")) == [200]
        clock.advance(2)
        assert await statuses(api, issuer.signer.token("alice")) == [503]


async def test_k06_without_keys_a_well_formed_token_is_503_and_a_malformed_one_401() -> None:
    issuer = PublishedAs(fails=True)
    async with speaking_for(issuer) as api:
        assert await statuses(api, issuer.signer.token("alice"), "no.token.this", "x") == [503, 401, 401]
        response = await api.http.get(TASKS, headers={"Authorization": f"Bearer {issuer.signer.token('alice')}"})
        assert int(response.headers["Retry-After"]) >= 1


async def test_k07_an_issuer_that_drips_is_cut_off(own_issuer: LoopbackIssuer) -> None:
    assert FETCH_TIMEOUT <= 5
    own_issuer.mood = "dripping"
    async with key_set_client() as client, asyncio.timeout(30):
        with pytest.raises(JwksFetchError):
            await HttpJwks(client, f"{own_issuer.url}/api/auth/jwks", timeout=0.3)()


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(302, headers={"Location": "https://evil.example.com/jwks"}),
        httpx.Response(404),
        httpx.Response(200, stream=httpx.ByteStream(b"{}")),
        httpx.Response(200, stream=httpx.ByteStream(b'{"keys":{}}')),
        httpx.Response(200, stream=httpx.ByteStream(b'{"keys":[],"keys":[]}')),
        httpx.Response(200, stream=httpx.ByteStream(b" " * (256 * 1024 + 1))),
        httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"")),
    ],
    ids=["redirect", "status", "no keys", "no list", "twice", "too large", "encoded"],
)
async def test_k08_only_a_small_plain_key_set_is_accepted(reply: httpx.Response) -> None:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return reply

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle), trust_env=False) as client:
        with pytest.raises(JwksFetchError):
            await HttpJwks(client, "https://auth.example.com/jwks")()
    assert [request.url.host for request in requests] == ["auth.example.com"]
    async with key_set_client() as ours:
        assert not ours.follow_redirects
        assert not ours.trust_env


def test_k09_each_key_is_validated_alone(caplog: pytest.LogCaptureFixture) -> None:
    good, duplicate = Issuer.new("good"), Issuer.new("twice")
    unusable: list[Any] = [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"kty": "EC"},
        {"crv": "Ed448"},
        {"alg": "HS256"},
        {"x": "AAAA"},
        {"kid": ""},
        {"d": "secret"},
    ]
    keys = [Issuer.new(f"unusable-{number}").jwk(**members) for number, members in enumerate(unusable)]
    document = {"keys": [*keys, 5, None, duplicate.jwk(), Issuer.new("twice").jwk(), good.jwk()]}
    assert set(parse_key_set(json.dumps(document).encode())) == {"good"}
    assert "private key" in caplog.text


async def test_k10_it_starts_and_lives_without_the_issuer() -> None:
    issuer = PublishedAs(fails=True)
    async with speaking_for(issuer) as api:
        assert (await api.http.get("/livez")).status_code == 200
        ready = await api.http.get("/readyz")
        assert ready.status_code == 503
        assert "keys" in ready.json()["detail"]
        with pytest.raises(KeysUnavailable):
            await JwksCache(issuer.fetch).ensure_loaded()
