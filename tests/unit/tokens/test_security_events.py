from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jwt_verifier import JwtVerifier
from adapters.tokens.security_events import JwtSecurityEventVerifier
from domain.errors import InvalidSecurityEvent, InvalidToken
from domain.revocation import AccountPurged, SecurityEvent, SessionRevoked, TokenLifetimes
from tests.support.fake_issuer import ManualTime, PublishedKeys, published
from tests.support.tokens import ABSENT, ACCOUNT_PURGED, AUDIENCE, ISSUER, SESSION_REVOKED, Issuer, compact_json
from tests.support.verification import CLOCK, NOW, SIGNER

RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
AT = datetime.fromtimestamp(CLOCK(), UTC)
USER = {"format": "iss_sub", "iss": ISSUER, "sub": "alice"}
SESSION = {"format": "opaque", "id": "s-1"}


async def verify(event: str, *, now: float = NOW) -> SecurityEvent:
    return await JwtSecurityEventVerifier(PublishedKeys(published(SIGNER)), RULES, ManualTime(now)).verify(event)


async def refusal(event: str, *, now: float = NOW) -> str:
    with pytest.raises(InvalidSecurityEvent) as refused:
        await verify(event, now=now)
    return refused.value.code


async def test_a_revoked_session() -> None:
    assert await verify(SIGNER.security_event(session="s-1")) == SessionRevoked("alice", "s-1", AT)  # type: ignore[arg-type]


async def test_all_sessions_of_a_user() -> None:
    assert await verify(SIGNER.security_event()) == SessionRevoked("alice", None, AT)  # type: ignore[arg-type]


async def test_a_purged_account() -> None:
    assert await verify(SIGNER.security_event(ACCOUNT_PURGED)) == AccountPurged("alice", AT)  # type: ignore[arg-type]


@pytest.mark.parametrize("typ", ["secevent+jwt", "application/secevent+jwt", "SecEvent+JWT"])
async def test_the_type_is_compared_without_regard_to_case(typ: str) -> None:
    await verify(SIGNER.security_event(header={"typ": typ}))


@pytest.mark.parametrize("typ", [ABSENT, "JWT", "at+jwt", "logout+jwt", "", 5, None])
async def test_a_token_without_the_type_of_an_event_is_refused(typ: object) -> None:
    assert await refusal(SIGNER.security_event(header={"typ": typ})) == "invalid_request"


async def test_an_event_is_not_an_access_token_nor_the_reverse() -> None:
    keys = PublishedKeys(published(SIGNER))
    for typ in ("secevent+jwt", ABSENT):
        event = SIGNER.security_event(header={"typ": typ}, exp=NOW + 900, sub="alice")
        with pytest.raises(InvalidToken, match="not an access token"):
            await JwtVerifier(keys, RULES, CLOCK).verify(event)
    assert await refusal(SIGNER.token()) == "invalid_request"


@pytest.mark.parametrize("age", [331, 3600, -331, -3600])
async def test_an_event_that_was_not_signed_recently_is_refused(age: int) -> None:
    assert await refusal(SIGNER.security_event(), now=NOW + age) == "invalid_request"


@pytest.mark.parametrize("age", [0, 329, -329])
async def test_a_recent_event_is_accepted_although_the_clocks_differ_a_little(age: int) -> None:
    await verify(SIGNER.security_event(), now=NOW + age)


async def test_the_freshness_is_a_setting() -> None:
    keys, quick = PublishedKeys(published(SIGNER)), TokenLifetimes(freshness=10)
    verifier = JwtSecurityEventVerifier(keys, RULES, ManualTime(NOW + 40), lifetimes=quick)
    await verifier.verify(SIGNER.security_event())
    verifier = JwtSecurityEventVerifier(keys, RULES, ManualTime(NOW + 41), lifetimes=quick)
    with pytest.raises(InvalidSecurityEvent, match="not signed recently"):
        await verifier.verify(SIGNER.security_event())


async def test_the_event_may_be_older_than_its_signing_but_not_newer() -> None:
    old = await verify(SIGNER.security_event(details={"event_timestamp": NOW - 86400}))
    new = await verify(SIGNER.security_event(details={"event_timestamp": NOW + 86400}))
    plain = await verify(SIGNER.security_event(events={SESSION_REVOKED: {}}))
    assert [int(event.at.timestamp()) for event in (old, new, plain)] == [NOW - 86400, NOW, NOW]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://evil.example.com"}, "invalid_issuer"),
        ({"iss": ABSENT}, "invalid_issuer"),
        ({"iss": [ISSUER]}, "invalid_issuer"),
        ({"aud": "https://other.example.com"}, "invalid_audience"),
        ({"aud": ABSENT}, "invalid_audience"),
        ({"aud": []}, "invalid_audience"),
        ({"jti": ABSENT}, "invalid_request"),
        ({"jti": ""}, "invalid_request"),
        ({"jti": 5}, "invalid_request"),
        ({"iat": ABSENT}, "invalid_request"),
        ({"iat": "now"}, "invalid_request"),
        ({"iat": True}, "invalid_request"),
        ({"iat": 10**400}, "invalid_request"),
        ({"iat": float("inf")}, "invalid_request"),
        ({"events": ABSENT}, "invalid_request"),
        ({"events": {}}, "invalid_request"),
        ({"events": []}, "invalid_request"),
        ({"events": {"https://example.com/else": {}}}, "invalid_request"),
        ({"events": {SESSION_REVOKED: {}, ACCOUNT_PURGED: {}}}, "invalid_request"),
        ({"events": {SESSION_REVOKED: []}}, "invalid_request"),
        ({"events": {SESSION_REVOKED: {"event_timestamp": "now"}}}, "invalid_request"),
        ({"events": {SESSION_REVOKED: {"event_timestamp": -1e300}}}, "invalid_request"),
        ({"sub_id": ABSENT, "sub": "alice"}, "invalid_request"),
        ({"sub_id": "alice"}, "invalid_request"),
        ({"sub_id": USER | {"iss": "https://evil.example.com"}}, "invalid_request"),
        ({"sub_id": USER | {"sub": ""}}, "invalid_request"),
        ({"sub_id": USER | {"sub": "a\0b"}}, "invalid_request"),
        ({"sub_id": USER | {"sub": 5}}, "invalid_request"),
        ({"sub_id": USER | {"format": "opaque"}}, "invalid_request"),
        ({"sub_id": {"format": "complex", "session": SESSION}}, "invalid_request"),
        ({"sub_id": {"format": "complex", "user": USER}}, "invalid_request"),
        ({"sub_id": {"format": "complex", "user": USER, "session": SESSION | {"id": ""}}}, "invalid_request"),
        ({"sub_id": {"format": "complex", "user": USER, "session": {"format": "email", "id": "x"}}}, "invalid_request"),
        (
            {
                "events": {ACCOUNT_PURGED: {}},
                "sub_id": {"format": "complex", "user": USER, "session": SESSION},
            },
            "invalid_request",
        ),
    ],
)
async def test_a_broken_rule_is_refused_with_its_error_code_of_rfc_8935(claims: dict[str, Any], code: str) -> None:
    assert await refusal(SIGNER.security_event(**claims)) == code


async def test_an_unknown_key_and_a_wrong_signature_have_different_codes() -> None:
    stranger = Issuer.new("key-2", now=CLOCK)
    forger = Issuer.new("key-1", now=CLOCK)
    assert await refusal(stranger.security_event()) == "invalid_key"
    assert await refusal(forger.security_event()) == "authentication_failed"


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"kid": ABSENT}, {"crit": ["b64"]}, {"jwk": {}}])
async def test_the_header_is_validated_like_an_access_tokens(header: dict[str, Any]) -> None:
    assert await refusal(SIGNER.security_event(header=header)) == "invalid_request"


@pytest.mark.parametrize("event", ["", "x", "a.b.c", "\xff", "x" * 8193, "a.b.c.d.e"])
async def test_a_text_that_is_not_a_token_is_refused(event: str) -> None:
    assert await refusal(event) == "invalid_request"


@pytest.mark.parametrize("payload", [b"[]", b"{", b"[" * 5000, b'{"iss":1,"iss":1}', b"\xff"])
async def test_a_signed_payload_that_is_not_an_object_is_refused(payload: bytes) -> None:
    header = compact_json({"alg": "EdDSA", "kid": "key-1", "typ": "secevent+jwt"})
    assert await refusal(SIGNER.sign(header, payload)) == "invalid_request"


async def test_a_valid_event_that_is_too_long_is_refused_unparsed() -> None:
    await verify(SIGNER.security_event(padding="x" * 1000))
    keys = PublishedKeys(published(SIGNER))
    with pytest.raises(InvalidSecurityEvent, match="too long"):
        await JwtSecurityEventVerifier(keys, RULES, CLOCK).verify(SIGNER.security_event(padding="x" * 8192))
