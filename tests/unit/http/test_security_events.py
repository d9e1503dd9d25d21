"""RFC 8935, as the sender of an event sees it."""

from datetime import datetime

import httpx
import pytest
from dishka import Provider, Scope, provide

from adapters.memory.access import MemoryRevocations
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jwks_cache import JwksCache
from application.ports import Clock, Revocations
from domain.errors import KeysUnavailable, StorageUnavailable
from domain.identity import SessionId, UserId
from domain.revocation import TokenLifetimes
from tests.support.api import Api, InMemory, running
from tests.support.tokens import ACCOUNT_PURGED, Issuer

PATH = "/api/security-events"
SET = {"Content-Type": "application/secevent+jwt"}


async def push(api: Api, event: str | bytes, **headers: str) -> httpx.Response:
    return await api.http.post(PATH, content=event, headers=SET | headers)


async def status(api: Api, token: str) -> int:
    answer = await api.http.get("/api/alice/tasks", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def test_a_session_that_is_revoked_opens_nothing_any_more(api: Api) -> None:
    ended, other = (api.issuer.token("alice", sid=session) for session in ("s-1", "s-2"))
    assert [await status(api, token) for token in (ended, other)] == [200, 200]
    for _ in range(2):
        answer = await push(api, api.issuer.security_event(session="s-1"))
        assert (answer.status_code, answer.content) == (202, b"")
    assert [await status(api, token) for token in (ended, other)] == [401, 200]


async def test_a_user_who_is_signed_out_everywhere_signs_in_again(api: Api) -> None:
    old = api.issuer.token("alice", sid="s-1")
    assert (await push(api, api.issuer.security_event())).status_code == 202
    new = api.issuer.token("alice", sid="s-2", iat=int(api.issuer.now()) + 1)
    assert [await status(api, token) for token in (old, new)] == [401, 200]


async def test_an_account_that_is_purged_leaves_no_task(api: Api) -> None:
    await api.task("Mine")
    kept = await api.task("Another's", user="bob")
    token = api.issuer.token("alice")
    assert (await push(api, api.issuer.security_event(ACCOUNT_PURGED))).status_code == 202
    assert await status(api, token) == 401
    later = api.issuer.token("alice", iat=int(api.issuer.now()) + 1)
    answer = await api.http.get("/api/alice/tasks", headers={"Authorization": f"Bearer {later}"})
    assert answer.json()["data"] == []
    assert (await api("GET", f"/api/bob/tasks/{kept['id']}", user="bob")).status_code == 200


async def test_a_revoked_token_gets_the_challenge_of_a_bad_one(api: Api) -> None:
    token = api.issuer.token("alice", sid="s-1")
    await push(api, api.issuer.security_event(session="s-1"))
    answer = await api.http.get("/api/alice/tasks", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("event", "err"),
    [
        (lambda issuer: issuer.token("alice"), "invalid_request"),
        (lambda issuer: issuer.security_event(iat=1), "invalid_request"),
        (lambda issuer: issuer.security_event(iss="else"), "invalid_issuer"),
        (lambda issuer: issuer.security_event(aud="else"), "invalid_audience"),
        (lambda _: Issuer.new("key-2").security_event(), "invalid_key"),
        (lambda issuer: Issuer.new(issuer.kid).security_event(), "authentication_failed"),
        (lambda _: "", "invalid_request"),
        (lambda _: "x" * 9000, "invalid_request"),
        (lambda _: "\u00fc.b.c".encode(), "invalid_request"),
    ],
)
async def test_what_is_refused_is_refused_as_the_rfc_says(api: Api, event: object, err: str) -> None:
    answer = await push(api, event(api.issuer))  # type: ignore[operator]  # one of the functions above
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["err"] == err
    assert answer.json().keys() == {"err", "description"}
    assert await status(api, api.issuer.token("alice", sid="s-1")) == 200


@pytest.mark.parametrize("media_type", ["application/json", "application/jwt", "text/plain", ""])
async def test_another_media_type_is_415(api: Api, media_type: str) -> None:
    answer = await push(api, api.issuer.security_event(), **{"Content-Type": media_type})
    assert answer.status_code == 415


async def test_an_encoding_is_415_a_flood_413_and_another_method_405(api: Api) -> None:
    event = api.issuer.security_event()
    assert (await push(api, event, **{"Content-Encoding": "gzip"})).status_code == 415
    assert (await push(api, "x" * 70_000)).status_code == 413
    answer = await api.http.get(PATH)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


async def test_an_event_opens_nothing_as_a_token(api: Api) -> None:
    assert await status(api, api.issuer.security_event(exp=int(api.issuer.now()) + 900, sub="alice")) == 401


async def test_an_address_whose_events_are_refused_gets_429() -> None:
    async with running(InMemory(), EVO_TODO_ADDRESS_RATE_LIMIT="2/minute") as api:
        answers = [await push(api, "a.b.c") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [400, 400, 429]
        assert answers[2].headers["Retry-After"]
        assert "RateLimit" in answers[0].headers
        assert (await push(api, api.issuer.security_event(session="s-1"))).status_code == 202


class NoKeys(Provider):
    scope = Scope.APP

    @provide
    def keys(self) -> JwksCache:
        async def fetch() -> dict[str, PublicKey]:
            raise KeysUnavailable

        return JwksCache(fetch)


class FullRevocations(MemoryRevocations):
    """Keeps nothing."""

    async def revoke(
        self, user_id: UserId, session_id: SessionId | None, at: datetime, token_lifetime: float | None = None
    ) -> None:
        del user_id, session_id, at, token_lifetime
        raise StorageUnavailable


class NothingKept(Provider):
    scope = Scope.APP

    @provide
    def revocations(self, clock: Clock) -> Revocations:
        return FullRevocations(clock, TokenLifetimes())


@pytest.mark.parametrize("away", [NoKeys(), NothingKept()])
async def test_events_that_cannot_be_verified_or_stored_are_not_acknowledged(away: Provider) -> None:
    async with running(InMemory(), away) as api:
        for event in (api.issuer.security_event(session="s-1"), api.issuer.security_event(ACCOUNT_PURGED)):
            answer = await push(api, event)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
