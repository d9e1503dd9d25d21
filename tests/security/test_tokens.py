"""R1 to R18: each rule of the token verifier, attacked over HTTP."""

import base64
import json
import random
import zlib

import pytest

from adapters.tokens.claims import ClaimRules
from entrypoints.settings import SettingError, Settings
from tests.security.test_keys import PublishedAs, speaking_for
from tests.support.api import Api
from tests.support.attacks import TASKS, assert_accepted, assert_refused, send
from tests.support.tokens import ABSENT, Issuer, base64url, compact_json

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""L of RFC 8032 §5.1: a signature's second half counts only below it."""


async def test_r01_credentials_come_from_one_authorization_header_and_nowhere_else(api: Api) -> None:
    token = api.issuer.token("alice")
    for value in (f"bearer {token}", f"BEARER  {token}"):
        assert (await api.http.get(TASKS, headers={"Authorization": value})).status_code == 200
    smuggled = [
        await api.http.get(f"{TASKS}?access_token={token}"),
        await api.http.post(TASKS, data={"access_token": token}),
        await api.http.get(TASKS, headers={"Cookie": f"Authorization={token}; token={token}"}),
        await api.http.get(TASKS, headers=[("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]),
        await api.http.get(TASKS, headers={"Authorization": f"Bearer {token}, Bearer {token}"}),
        await api.http.get(TASKS, headers={"Authorization": f"Bearer\t{token}"}),
        await api.http.get(TASKS, headers={"Authorization": f"Bearer{token}"}),
        await api.http.get(TASKS, headers={"Authorization": token}),
        await api.http.get(TASKS, headers={"Authorization": f"Basic {token}"}),
        await api.http.get(TASKS, headers={"Proxy-Authorization": f"Bearer {token}"}),
    ]
    assert {response.status_code for response in smuggled} == {401}


async def test_r02_a_token_is_short_three_parts_and_of_its_alphabet(api: Api) -> None:
    header, payload, signature = api.issuer.token("alice").split(".")
    token = f"{header}.{payload}.{signature}"
    long = api.issuer.token("alice", padding="x" * 8192)
    parts = [f"{header}.{payload}", f"{token}.", f".{token}", f"{token}.x", f"..{signature}", f"{header}..{signature}"]
    await assert_refused(api, [long, *parts, f"{token}!", f"{token}%", "\u00e9.b.c", "a.b.c", "..", "." * 9000])


async def test_r03_base64url_has_one_spelling(api: Api) -> None:
    header, payload, signature = api.issuer.token("alice", name="\u00fb\u00ff?>~").split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    await assert_accepted(api, f"{header}.{payload}.{signature}")
    await assert_refused(
        api,
        [
            f"{header}=.{payload}.{signature}",
            f"{header}.{payload}=.{signature}",
            f"{header}.{payload}.{signature}==",
            f"{header}.{payload}.{stray}",
            f"{header}.{payload}.{signature}A",
            f"{header}.{payload}.{signature[:-2]}+/",
            f"{header}\n.{payload}.{signature}",
        ],
    )


async def test_r04_the_header_is_one_strict_json_object(api: Api) -> None:
    kid = api.issuer.kid.encode()
    payload = compact_json(api.issuer.claims("alice"))
    headers = [
        b'{"alg":"EdDSA","kid":"%s","kid":"%s"}' % (kid, kid),
        b'{"alg":"EdDSA","kid":"%s","x":NaN}' % kid,
        b'{"alg":"EdDSA","kid":"%s","x":Infinity}' % kid,
        b'["EdDSA"]',
        b'"EdDSA"',
        b"null",
        b"",
        b"{",
        b'\xef\xbb\xbf{"alg":"EdDSA","kid":"%s"}' % kid,
        b'{"alg":"EdDSA","kid":"%s","x":"\xff"}' % kid,
        json.dumps({"alg": "EdDSA", "kid": api.issuer.kid}).encode("utf-16"),
        b'{"alg":"EdDSA","kid":"%s","x":' % kid + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"alg":"EdDSA","kid":"%s"}x' % kid,
    ]
    await assert_refused(api, [api.issuer.sign(header, payload) for header in headers])


async def test_r05_the_algorithm_is_one_of_two_names(api: Api) -> None:
    await assert_accepted(api, api.issuer.token("alice", header={"alg": "Ed25519"}))
    algorithms: list[object] = [
        "none",
        "None",
        "noNE",
        "",
        "HS256",
        "RS256",
        "ES256",
        "Ed448",
        "eddsa",
        "ED25519",
        None,
        5,
        ["EdDSA"],
        ABSENT,
        {},
    ]
    await assert_refused(api, [api.issuer.token("alice", header={"alg": one}) for one in algorithms])
    unsigned = api.issuer.token("alice", header={"alg": "none"}).rpartition(".")[0]
    await assert_refused(api, [f"{unsigned}."])


async def test_r06_the_key_is_an_ed25519_key_whatever_the_algorithm_is_called() -> None:
    for members in (
        {"kty": "EC", "crv": "P-256"},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"kty": "oct"},
        {"alg": "ES256"},
    ):
        issuer = PublishedAs(members)
        async with speaking_for(issuer) as api:
            response = await api.http.get(TASKS, headers={"Authorization": f"Bearer {issuer.signer.token('alice')}"})
            assert response.status_code == 503, "no usable key is published"


async def test_r07_the_key_is_found_by_its_exact_name(api: Api) -> None:
    kid = api.issuer.kid
    malformed: list[object] = [ABSENT, "", None, 5, [kid], {}, "x" * 257]
    await assert_refused(api, [api.issuer.token("alice", header={"kid": name}) for name in malformed])
    unknown = [kid.upper(), f"{kid} ", f" {kid}", f"../{kid}", f"{kid}\0", "' OR 1=1 --"]
    unknown += ["https://evil.example.com/key", "/dev/null", "__proto__"]
    statuses = [(await send(api, api.issuer.token("alice", header={"kid": name}))).status_code for name in unknown]
    assert statuses == [401] + [503] * (len(unknown) - 1), "the issuer is asked for the first only, for half a minute"


async def test_r08_no_key_comes_with_the_token(api: Api) -> None:
    attacker = Issuer.new(api.issuer.kid)
    where = "https://evil.example.com/jwks"
    for issuer in (attacker, api.issuer):
        members: list[dict[str, object]] = [
            {"jwk": issuer.jwk()},
            {"jku": where},
            {"x5u": where},
            {"x5c": ["MIIB"]},
            {"jwk": None},
        ]
        await assert_refused(api, [issuer.token("alice", header=one) for one in members])


async def test_r09_extensions_are_not_understood(api: Api) -> None:
    critical: list[object] = [["b64"], ["exp"], [], 5, None, "exp", [1], {}]
    members = [{"crit": one} for one in critical] + [{"b64": one} for one in (False, True, None)]
    await assert_refused(api, [api.issuer.token("alice", header=one) for one in members])


async def test_r10_another_kind_of_token_of_the_same_key_is_none(api: Api) -> None:
    await assert_accepted(api, *(api.issuer.token("alice", header={"typ": one}) for one in ("JWT", "at+jwt", "Jwt")))
    kinds: list[object] = [
        "logout+jwt",
        "better-auth.session-cache+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "id+jwt",
        "JOSE",
        "",
        None,
        5,
    ]
    await assert_refused(api, [api.issuer.token("alice", header={"typ": one}) for one in [*kinds, ["JWT"]]])
    await assert_refused(api, [api.issuer.security_event(sub="alice", exp=int(api.issuer.now()) + 900)])


async def test_r11_a_signature_is_of_this_key_over_this_token_and_has_one_form(api: Api) -> None:
    header, payload, signature = api.issuer.token("alice").split(".")
    other = Issuer.new(api.issuer.kid).token("alice")
    raw = base64.urlsafe_b64decode(signature + "==")
    malleable = raw[:32] + (int.from_bytes(raw[32:], "little") + GROUP_ORDER).to_bytes(32, "little")
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    forged = base64url(compact_json(api.issuer.claims("bob")))
    signatures = [malleable, flipped, raw[:63], raw + b"\0", bytes(64), raw[32:] + raw[:32]]
    await assert_refused(api, [f"{header}.{payload}.{base64url(one)}" for one in signatures])
    await assert_refused(api, [other, f"{header}.{forged}.{signature}"])


async def test_r12_the_payload_is_one_strict_json_object_and_nothing_else(api: Api) -> None:
    header = compact_json({"alg": "EdDSA", "kid": api.issuer.kid})
    claims = compact_json(api.issuer.claims("alice"))
    nested = api.issuer.token("alice").encode()
    payloads = [
        claims[:-1] + b',"sub":"bob"}',
        claims[:-1] + b',"x":NaN}',
        claims.replace(b'"alice"', b'"\xff"'),
        b"[" + claims + b"]",
        b"[" * 2000,
        b"{}",
        b"null",
        nested,
        claims.decode().encode("utf-16"),
        claims[:-1] + b',"exp":' + b"9" * 5000 + b"}",
    ]
    await assert_refused(api, [api.issuer.sign(header, payload) for payload in payloads])
    zipped = zlib.compress(claims)
    await assert_refused(
        api, [api.issuer.sign(compact_json({"alg": "EdDSA", "kid": api.issuer.kid, "zip": "DEF"}), zipped)]
    )


async def test_r13_the_issuer_is_the_configured_one_to_the_letter(api: Api) -> None:
    name = api.issuer.name
    issuers: list[object] = [
        ABSENT,
        None,
        "",
        5,
        [name],
        {"iss": name},
        f"{name}/",
        name.upper(),
        f"{name}.evil",
        name[:-1],
    ]
    await assert_refused(api, [api.issuer.token("alice", iss=one) for one in issuers])


async def test_r14_the_audience_holds_ours_to_the_letter(api: Api) -> None:
    ours = api.issuer.audience
    await assert_accepted(api, api.issuer.token("alice", aud=["https://other.example.com", ours]))
    audiences: list[object] = [ABSENT, None, "", 5, [], {}, f"{ours}/", ours.upper(), [f"{ours}/"], [5, ours], [[ours]]]
    await assert_refused(api, [api.issuer.token("alice", aud=one) for one in audiences])


async def test_r15_dates_are_finite_numbers_and_a_token_is_of_now(api: Api) -> None:
    now = int(api.issuer.now())
    wrong: list[object] = [ABSENT, None, "soon", True, [], {}, 10**400, float("inf"), float("nan")]
    await assert_refused(api, [api.issuer.token("alice", exp=one) for one in wrong])
    await assert_refused(api, [api.issuer.token("alice", iat=one) for one in wrong])
    await assert_refused(api, [api.issuer.token("alice", nbf=one) for one in wrong if one is not ABSENT])
    await assert_refused(
        api,
        [
            api.issuer.token("alice", iat=now - 1000, exp=now - 60),
            api.issuer.token("alice", iat=now + 60),
            api.issuer.token("alice", nbf=now + 60),
            api.issuer.token("alice", exp=now + 8 * 86400),
            api.issuer.token("alice", iat=now - 10**9, exp=now + 60),
        ],
    )
    await assert_accepted(api, api.issuer.token("alice", iat=now - 900, exp=now - 10))  # the leeway


async def test_r16_the_subject_is_a_valid_user_id(api: Api) -> None:
    subjects: list[object] = [ABSENT, None, "", 5, True, [], {}, ["alice"], "x" * 256, "a\0b", "a\nb", "a\ud800"]
    await assert_refused(api, [api.issuer.token(one) for one in subjects])


async def test_r17_whatever_is_sent_is_refused_and_nothing_breaks(api: Api) -> None:
    chance = random.Random(20260101)
    token = api.issuer.token("alice")
    for _ in range(400):
        letters = list(token)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(letters))
            letters[place] = chance.choice("AZaz09-_.=+/ ~\x7f")
            if chance.random() < 0.2:
                del letters[place]
        broken = "".join(letters)
        if broken != token:
            response = await api.http.get(TASKS, headers={"Authorization": f"Bearer {broken}"})
            assert response.status_code == 401, broken


@pytest.mark.parametrize(
    "env",
    [
        {"EVO_TODO_ISSUER": ""},
        {"EVO_TODO_AUDIENCE": " "},
        {"EVO_TODO_JWKS_URL": ""},
        {"EVO_TODO_JWKS_URL": "http://keys.example.com/jwks"},
        {"BETTER_AUTH_BASE_URL": "http://app.example.com"},
        {"EVO_TODO_LEEWAY": "61"},
    ],
)
def test_r18_without_an_issuer_an_audience_and_a_safe_place_for_keys_nothing_starts(env: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=next(iter(env))):
        Settings.from_env(env)
    for issuer, audience in (("", "a"), ("i", "")):
        with pytest.raises(ValueError, match="must be configured"):
            ClaimRules(issuer=issuer, audience=audience)
