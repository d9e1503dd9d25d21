"""The verifier of docs/how-to/your-own-app.md: where its keys come from, how long they are used, and leaving HS256."""

import hmac
import importlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.own_apps import BASE_URL, Published
from tests.support.tokens import Issuer, base64url, compact_json


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "http://auth.example.com"},
        {"base_url": "http://localhost.example.com"},
        {"base_url": BASE_URL, "jwks_url": "http://auth.example.com/jwks"},
    ],
)
def test_keys_do_not_come_over_plain_http(load: Callable[[str], Any], options: dict[str, str]) -> None:
    load("fastapi_app")
    module: Any = importlib.import_module("better_auth")
    with pytest.raises(ValueError, match="plain http"):
        module.BetterAuth(**options)


async def test_old_tokens_are_accepted_while_hs256_is_left(load: Callable[[str], Any], published: Published) -> None:
    load("fastapi_app")
    better_auth, leaving = (importlib.import_module(name) for name in ("better_auth", "leaving_hs256"))
    old, new = (
        leaving.LeavingHS256(BASE_URL, secret="old secret " * 4, until=time.time() + after, transport=published)
        for after in (60, -60)
    )
    claims = published.issuer.claims("alice")

    def hs256(key: str, **header: object) -> str:
        parts = [base64url(compact_json(part)) for part in ({"alg": "HS256"} | header, claims)]
        digest = hmac.digest(key.encode(), ".".join(parts).encode(), "sha256")
        return ".".join([*parts, base64url(digest)])

    for verifier in (old, new):
        assert (await verifier.verify(published.issuer.token("alice"))).id == "alice"
    assert (await old.verify(hs256("old secret " * 4))).id == "alice"
    public = published.issuer.jwk()
    refused = [
        hs256(public["x"], kid=public["kid"]),
        hs256(""),
        hs256("old secret " * 4, alg="none"),
        hs256("old secret " * 4, alg="HS512"),
        hs256("old secret " * 4, crit=5),
        published.issuer.token("alice", header={"alg": "HS256"}),
        "a.b.c",
        "",
    ]
    for verifier, tokens in ((old, refused), (new, [*refused, hs256("old secret " * 4)])):
        for token in tokens:
            with pytest.raises(better_auth.Refused):
                await verifier.verify(token)


async def test_keys_are_rotated_kept_in_an_outage_and_not_used_for_ever(
    load: Callable[[str], Any], published: Published
) -> None:
    load("fastapi_app")
    module: Any = importlib.import_module("better_auth")
    better_auth = module.BetterAuth(BASE_URL, transport=published)
    keys, old = better_auth.keys, published.issuer.token("alice")

    async def is_accepted(token: str) -> bool | None:
        """None: nobody can tell now."""
        try:
            return bool((await better_auth.verify(token)).id == "alice")
        except module.Refused:
            return False
        except module.KeysUnavailable:
            return None

    def let_pass(seconds: float) -> None:
        keys.fetched_at -= seconds
        keys.next_fetch -= seconds

    assert await is_accepted(old)
    published.issuer = Issuer.new("rotated", name=BASE_URL, audience=BASE_URL)
    new = published.issuer.token("alice")
    assert await is_accepted(new) is None, "the issuer was asked a moment ago"
    let_pass(31)
    assert await is_accepted(new)
    assert await is_accepted(old) is None, "its key is gone; the issuer was asked a moment ago"
    let_pass(31)
    assert await is_accepted(old) is False
    published.fails = True
    let_pass(700)
    assert await is_accepted(new), "an outage signs nobody out"
    let_pass(90_000)
    assert await is_accepted(new) is None
    published.fails = False
    let_pass(6)
    assert await is_accepted(new)
