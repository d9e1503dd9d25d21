"""Why a token is refused, for each rule it can break; the verdict is the verifier's own."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.doctor import token_check as reasons
from adapters.tokens.doctor.malformed import RejectedToken, Unverified
from adapters.tokens.doctor.token_check import EXPLANATIONS, check_token, explain
from adapters.tokens.jwks import PublicKey
from adapters.tokens.jws import MALFORMED
from application.health import Finding, Status
from tests.support.fake_issuer import published
from tests.support.tokens import ABSENT, AUDIENCE, ISSUER, Issuer, base64url, compact_json
from tests.support.verification import CLOCK, NOW, SIGNER

RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
PERSON = {"email": "alice@example.com", "name": "Alice Liddell", "picture": "https://alice.example.com/me.png"}
"""What Better Auth puts into its tokens beside what is judged."""


async def judged(
    token: str, *, rules: ClaimRules = RULES, keys: dict[str, PublicKey] | None = None, now: float = NOW
) -> Finding:
    finding = await check_token(token, published(SIGNER) if keys is None else keys, rules, lambda: now)
    told = f"{finding.detail} {finding.advice}"
    assert finding.name == "token"
    assert told.isascii()
    assert told.isprintable()
    assert not [value for value in PERSON.values() if value in told]
    assert not [part for part in token.split(".") if len(part) > 30 and part in told]
    return finding


async def refused(token: str, what: str, advice: str, **more: Any) -> Finding:
    finding = await judged(token, **more)
    assert finding.status is Status.FAILED
    assert what in finding.detail
    assert advice in str(finding.advice)
    return finding


def token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return SIGNER.token(header=header, claims=PERSON, **claims)


class TestAccepted:
    async def test_the_path_it_opens_and_the_seconds_it_has_left_are_told(self) -> None:
        finding = await judged(token())
        assert finding.status is Status.OK
        assert "accepted for 930 s more" in finding.detail  # 900 s and the leeway
        assert "opens /api/alice/tasks (403: the path's user id is not this token's `sub`)" in finding.detail

    async def test_within_the_leeway_an_expired_one_has_what_is_left_of_that(self) -> None:
        assert "accepted for 10 s more" in (await judged(token(), now=NOW + 920)).detail

    @pytest.mark.parametrize(
        ("sub", "path"),
        [("a b%", "/api/a%20b%25/tasks"), ("caf\u00e9\u202e", "/api/caf%C3%A9%E2%80%AE/tasks")],
    )
    async def test_the_path_is_written_as_a_client_must_write_it(self, sub: str, path: str) -> None:
        assert path in (await judged(token(sub=sub))).detail

    async def test_a_subject_with_a_slash_opens_nothing(self) -> None:
        finding = await judged(token(sub="a/b"))
        assert finding.status is Status.NOTE
        assert "403 on every one" in finding.detail
        assert "without a slash" in str(finding.advice)


class TestWithoutKeys:
    async def test_a_sound_token_is_not_judged(self) -> None:
        finding = await check_token(token(), None, RULES, CLOCK)
        assert (finding.name, finding.status) == ("token", Status.SKIPPED)
        assert "no usable key set" in finding.detail

    async def test_a_token_of_a_wrong_form_is_refused_all_the_same(self) -> None:
        finding = await check_token("Bearer x", None, RULES, CLOCK)
        assert finding.status is Status.FAILED


class TestClaims:
    @pytest.mark.parametrize(
        ("aud", "shown"),
        [
            ("http://a", '`aud` is "http://a",'),
            (["http://a", "\x1b]0;"], r'`aud` is ["http://a", "\x1b]0;"],'),
            ([f"http://{number}" for number in range(9)], '"http://4", ...],'),
            ([f"http://{number}" for number in range(5)], '"http://4"],'),
            (["http://a", 5], "`aud` is a mixed list,"),
            ({"email": PERSON["email"]}, "`aud` is an object,"),
            (5, "`aud` is a number,"),
            (0.5, "`aud` is a number,"),
            (True, "`aud` is a truth value,"),
            (None, "`aud` is null,"),
            (ABSENT, "has no `aud`,"),
            ("x" * 5000, '(cut: it has 5000 characters), but this service expects "https://tasks.example.com"'),
        ],
    )
    async def test_another_audience_is_shown_beside_the_expected_one(self, aud: object, shown: str) -> None:
        finding = await refused(token(aud=aud), shown, "set EVO_TODO_AUDIENCE")
        assert f'but this service expects "{AUDIENCE}"' in finding.detail
        assert "`audience` in its jwt plugin" in str(finding.advice)

    async def test_another_issuer_is_shown_beside_the_expected_one(self) -> None:
        finding = await refused(token(iss="http://a"), '`iss` is "http://a"', "set EVO_TODO_ISSUER")
        assert f'but this service expects "{ISSUER}"' in finding.detail
        assert "difference" not in finding.detail

    @pytest.mark.parametrize(
        ("expected", "said", "slip"),
        [
            ("https://a.example.com", "https://a.example.com/", "a slash at the end"),
            ("https://a.example.com/", "https://a.example.com", "a slash at the end"),
            ("http://localhost:3000", "http://127.0.0.1:3000", "localhost and 127.0.0.1"),
            ("http://[::1]:3000", "http://localhost:3000", "localhost and 127.0.0.1"),
            ("https://a.example.com", "https://A.example.com", "upper and lower case"),
            ("https://a.example.com", "http://a.example.com", "http and https"),
            ("https://a.example.com", " https://a.example.com", "white space"),
        ],
    )
    async def test_a_slip_that_is_all_the_difference_is_named(self, expected: str, said: str, slip: str) -> None:
        rules = ClaimRules(issuer=expected, audience=AUDIENCE)
        await refused(token(iss=said), f"all the difference is {slip}", "EVO_TODO_ISSUER", rules=rules)
        rules = ClaimRules(issuer=ISSUER, audience=expected)
        await refused(token(aud=["x", said]), f"all the difference is {slip}", "EVO_TODO_AUDIENCE", rules=rules)

    async def test_an_expired_token_is_told_since_when(self) -> None:
        finding = await refused(token(), "expired 100 s ago; 30 s are allowed", "GET /api/auth/token", now=NOW + 1000)
        assert "compare the clocks" in str(finding.advice)
        await refused(token(), "expired 101 s ago;", "GET /api/auth/token", now=NOW + 1000.7)

    async def test_a_token_from_the_future_is_told_how_far(self) -> None:
        await refused(token(), "`iat` is 100 s ahead", "compare the clocks", now=NOW - 100)
        await refused(token(nbf=NOW + 500), "`nbf` is 500 s ahead", "compare the clocks")
        await refused(token(nbf=NOW - 500), "`iat` is 100 s ahead", "compare the clocks", now=NOW - 100)

    @pytest.mark.parametrize(
        ("exp", "shown"), [(NOW + 700_000, "700000 s"), (NOW + 1e300, "1e+300 s"), (10**300, "1e+300 s")]
    )
    async def test_a_token_that_lives_too_long_is_told_how_long(self, exp: float, shown: str) -> None:
        what = f"it lives {shown} from `iat` to `exp`, at most 604800 s"
        await refused(token(exp=exp), what, "raise EVO_TODO_MAX_TOKEN_LIFETIME")

    @pytest.mark.parametrize(
        ("claims", "shown"),
        [
            ({"exp": ABSENT}, "numbers of seconds: it has no `exp`; its `iat` is a number"),
            ({"exp": "soon"}, 'its `exp` is "soon"; its `iat` is a number'),
            ({"iat": True}, "its `iat` is a truth value"),
            ({"nbf": "now"}, 'its `iat` is a number; its `nbf` is "now"'),
        ],
    )
    async def test_dates_that_are_no_numbers_are_shown(self, claims: dict[str, Any], shown: str) -> None:
        finding = await refused(token(**claims), shown, "to the jwt plugin")
        assert ("`nbf`" in finding.detail) == ("nbf" in claims)

    async def test_a_session_that_could_not_be_revoked_is_told(self) -> None:
        await refused(token(sid=""), "`sid` is no text of 1 to 255 characters", "session.id")

    @pytest.mark.parametrize(
        ("sub", "what"),
        [
            (ABSENT, "no `sub`"),
            (5, "`sub` is no text"),
            ("", "empty, longer than 255"),
            ("x" * 256, "longer than 255"),
            ("a\nb", "control characters"),
        ],
    )
    async def test_a_subject_that_is_nobody_is_told_but_not_shown(self, sub: object, what: str) -> None:
        finding = await refused(token(sub=sub), what, "getSubject")
        assert "xxx" not in finding.detail

    async def test_a_security_event_is_no_access_token(self) -> None:
        await refused(token(events={}), "a security event", "ask Better Auth for a JWT")


class TestHeader:
    @pytest.mark.parametrize(
        ("alg", "shown"), [("HS256", '`alg` is "HS256"'), ("none", '`alg` is "none"'), (ABSENT, "no `alg`")]
    )
    async def test_another_algorithm_is_shown(self, alg: object, shown: str) -> None:
        await refused(token({"alg": alg}), shown, 'jwks.keyPairConfig.alg "EdDSA"')

    async def test_another_algorithms_signature_is_told_by_its_algorithm(self) -> None:
        head, body, _ = token({"alg": "RS256"}).split(".")
        await refused(f"{head}.{body}.{base64url(b'x' * 256)}", '`alg` is "RS256"', "EdDSA")

    async def test_a_signature_that_was_cut_is_told(self) -> None:
        for length in range(1, 9):
            await refused(token()[:-length], "it was cut or changed", "copy the token once more")
        await refused(f"{token()}AAA", "it was cut or changed", "copy the token once more")
        await refused(f"{token()}!", "it was cut or changed", "copy the token once more")

    async def test_another_kind_of_token_is_shown(self) -> None:
        await refused(token({"typ": "logout+jwt"}), '`typ` is "logout+jwt"', "not an ID or logout token")

    async def test_a_member_that_is_never_taken_is_named(self) -> None:
        await refused(token({"jku": "https://evil.example.com", "crit": []}), "header has `jku`, `crit`", "ask")

    @pytest.mark.parametrize(
        ("kid", "shown"),
        [(ABSENT, "no `kid`"), (5, "`kid` is a number"), ("", "0 characters"), ("x" * 257, "257 characters")],
    )
    async def test_a_token_that_names_no_key_is_told(self, kid: object, shown: str) -> None:
        await refused(token({"kid": kid}), shown, "ask Better Auth for a JWT")

    async def test_an_unknown_key_is_shown_beside_the_published_ones_and_with_who_issued_it(self) -> None:
        finding = await refused(
            token({"kid": "\x1b[2J"}, iss="http://b"), r'`kid` is "\x1b[2J", but', "set EVO_TODO_JWKS_URL"
        )
        assert 'the published keys are "key-1"; its `iss` is "http://b"' in finding.detail


class TestSignature:
    async def test_a_forged_token_is_told_by_the_key_it_names(self) -> None:
        forged = Issuer.new(now=CLOCK).token(claims=PERSON)
        await refused(forged, 'not of the published key "key-1"', "changed on its way")


class TestForm:
    async def test_a_token_that_is_too_long_is_told_how_long(self) -> None:
        await refused("x" * 8193, "it has 8193 characters, at most 8192", "definePayload")

    @pytest.mark.parametrize("nothing", ["", "  ", "\n"])
    async def test_nothing_is_told_to_be_nothing(self, nothing: str) -> None:
        await refused(nothing, "it is empty", "GET /api/auth/token")

    @pytest.mark.parametrize("word", ["undefined", "null", "[object Object]", " None "])
    async def test_a_programs_word_for_nothing_is_told(self, word: str) -> None:
        await refused(word, "a value it does not have", "mend the client")

    @pytest.mark.parametrize(
        ("before", "after", "what", "advice"),
        [
            ("Bearer ", "", "`Bearer` still before it", "what comes after"),
            ("bearer%20", "", "`Bearer` still before it", "what comes after"),
            ("Authorization: Bearer ", "", "a whole Authorization header", "what comes after `Bearer`"),
            ('"', '"', "a quotation mark before it", "leave the marks out"),
            ("\u201c", "\u201d", "a quotation mark before it", "leave the marks out"),
            ("", "'", "a quotation mark behind it", "leave the marks out"),
            ('{"token":"', '"}\n', "JSON", "its member `token`"),
            ("better-auth.session_data=", "", "a session cookie", "GET /api/auth/token"),
            ("", "\r\n", "a line's end around it", "leave that out"),
            ("", " x", "white space in it", "copy the token once more"),
            ("", "=", "padded with `=`", "copy the token once more"),
            ("x.", ".y", "encrypted (JWE)", "ask Better Auth"),
            ("x.", "", "three parts between its dots", "copy the token once more"),
            ("e", "", "its first part is no JSON object", "copy the token once more"),
        ],
    )
    async def test_what_surrounds_a_token_is_told(self, before: str, after: str, what: str, advice: str) -> None:
        await refused(f"{before}{token()}{after}", f"{what}", advice)

    @pytest.mark.parametrize(
        ("other", "what"),
        [
            ("Bearer", "`Bearer` still before it"),
            ("b3Ga9cQ1rTqv0xWZyPpLmNoKjIhGfEdC", "it has no dots"),
            ("b3Ga9cQ1rTqv0xWZ.kq3v9d+/8wU0Zp4c5B6n7m8A9s0D1f2G3h4=", "the value of a session cookie"),
            ("b3Ga9cQ1rTqv0xWZ.kq3v9d%2B%2f8wU0Zp4c5B6n7%3D", "the value of a session cookie"),
            ("b3Ga9cQ1rTqv0xWZ.kq3v9d8wU0Zp4c5B6n7%3D", "the value of a session cookie"),
            ("a%2Eb%2Ec.d", "%2E and the like"),
            ("a%2Eb%2Ec", "%2E and the like"),
            ("a!.b.c", "its first part is no JSON object"),
        ],
    )
    async def test_what_is_no_jwt_is_told_by_its_look(self, other: str, what: str) -> None:
        await refused(other, what, "")

    async def test_a_payload_that_is_no_object_is_told(self) -> None:
        header = compact_json({"alg": "EdDSA", "kid": "key-1"})
        await refused(SIGNER.sign(header, b"[1]"), "its second part is no JSON object", "copy")
        await refused(SIGNER.sign(header, b"[" * 5000), "its second part is no JSON object", "copy")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything in it but the faulty copies of functions that `make mutants` plants."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not re.search(r"__mutmut_[0-9]+$", getattr(child, "name", None) or ""):
            yield from nodes(child)


def reasons_given() -> Iterator[str]:
    """Every sentence that InvalidToken is raised with in src/adapters/tokens."""
    for path in Path(reasons.__file__).parents[1].glob("*.py"):
        for node in nodes(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "InvalidToken":
                (said,) = node.args
                yield MALFORMED if isinstance(said, ast.Name) else ast.literal_eval(said)


def test_every_reason_of_the_verifier_is_explained_and_no_other() -> None:
    assert set(reasons_given()) == set(EXPLANATIONS)


def test_a_key_that_was_replaced_and_a_reason_of_tomorrow_are_told_too() -> None:
    case = RejectedToken(token=Unverified.of(""), rules=RULES, keys={}, now=NOW)
    assert explain("The token's key has been replaced.", case)[0] == "its key was replaced while it was judged"
    assert explain("The token is blue.", case)[0] == "The token is blue."


async def test_no_log_line_repeats_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for unverified_token in (token(), f"Bearer {token()}", SIGNER.sign(b'{"alg":"EdDSA","kid":"key-1"}', b"[" * 5000)):
        await judged(unverified_token)
        assert unverified_token[-40:] not in caplog.text
