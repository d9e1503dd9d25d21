"""The explanation of a refused token, for each rule it can break; the verdict is the verifier's own."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.tokens import jws
from adapters.tokens.claims import ClaimRules
from adapters.tokens.doctor.malformed import UnverifiedToken
from adapters.tokens.doctor.refusals import EXPLANATIONS, RejectedToken, explain
from adapters.tokens.doctor.token_check import check_token
from adapters.tokens.jwks import PublicKey
from application.health import Finding, Status
from tests.support.fake_issuer import published
from tests.support.tokens import ABSENT, AUDIENCE, ISSUER, Issuer, base64url, compact_json
from tests.support.verification import CLOCK, NOW, SIGNER

RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
PERSON = {"email": "alice@example.com", "name": "Alice Liddell", "picture": "https://alice.example.com/me.png"}
"""Claims of Better Auth's tokens that are not validated."""


async def checked(
    token: str, *, rules: ClaimRules = RULES, keys: dict[str, PublicKey] | None = None, now: float = NOW
) -> Finding:
    finding = await check_token(token, published(SIGNER) if keys is None else keys, rules, lambda: now)
    printed = f"{finding.detail} {finding.advice}"
    assert finding.name == "token"
    assert printed.isascii()
    assert printed.isprintable()
    assert not [value for value in PERSON.values() if value in printed]
    assert not [part for part in token.split(".") if len(part) > 30 and part in printed]
    return finding


async def refused(token: str, what: str, advice: str, **more: Any) -> Finding:
    finding = await checked(token, **more)
    assert finding.status is Status.FAILED
    assert what in finding.detail
    assert advice in str(finding.advice)
    return finding


def token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return SIGNER.token(header=header, claims=PERSON, **claims)


class TestAccepted:
    async def test_its_path_and_its_remaining_seconds_are_reported(self) -> None:
        finding = await checked(token())
        assert finding.status is Status.OK
        assert "accepted for 930 s more" in finding.detail  # 900 s and the leeway
        assert "opens /api/alice/tasks (403 means: the path's user ID is not this token's `sub`)" in finding.detail

    async def test_within_the_leeway_an_expired_token_has_the_rest_of_it_left(self) -> None:
        assert "accepted for 10 s more" in (await checked(token(), now=NOW + 920)).detail

    @pytest.mark.parametrize(
        ("sub", "path"),
        [("a b%", "/api/a%20b%25/tasks"), ("caf\u00e9\u202e", "/api/caf%C3%A9%E2%80%AE/tasks")],
    )
    async def test_the_path_is_written_as_a_client_must_write_it(self, sub: str, path: str) -> None:
        assert path in (await checked(token(sub=sub))).detail

    async def test_a_subject_with_a_slash_opens_nothing(self) -> None:
        finding = await checked(token(sub="a/b"))
        assert finding.status is Status.NOTE
        assert "every path responds with 403" in finding.detail
        assert "without a slash" in str(finding.advice)


class TestWithoutKeys:
    async def test_a_well_formed_token_is_not_checked(self) -> None:
        finding = await check_token(token(), None, RULES, CLOCK)
        assert (finding.name, finding.status) == ("token", Status.SKIPPED)
        assert "no usable key set" in finding.detail

    async def test_a_malformed_token_is_still_refused(self) -> None:
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
            (True, "`aud` is a boolean,"),
            (None, "`aud` is null,"),
            (ABSENT, "has no `aud`,"),
            ("x" * 5000, '(cut: it has 5000 characters), but this service expects "https://tasks.example.com"'),
        ],
    )
    async def test_another_audience_is_shown_with_the_expected_one(self, aud: object, shown: str) -> None:
        finding = await refused(token(aud=aud), shown, "set EVO_TODO_AUDIENCE")
        assert f'but this service expects "{AUDIENCE}"' in finding.detail
        assert "`audience` in its jwt plugin" in str(finding.advice)

    async def test_another_issuer_is_shown_with_the_expected_one(self) -> None:
        finding = await refused(token(iss="http://a"), '`iss` is "http://a"', "set EVO_TODO_ISSUER")
        assert f'but this service expects "{ISSUER}"' in finding.detail
        assert "difference" not in finding.detail

    @pytest.mark.parametrize(
        ("expected", "actual", "difference"),
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
    async def test_a_near_miss_is_named(self, expected: str, actual: str, difference: str) -> None:
        rules = ClaimRules(issuer=expected, audience=AUDIENCE)
        await refused(token(iss=actual), f"the only difference is {difference}", "EVO_TODO_ISSUER", rules=rules)
        rules = ClaimRules(issuer=ISSUER, audience=expected)
        await refused(
            token(aud=["x", actual]), f"the only difference is {difference}", "EVO_TODO_AUDIENCE", rules=rules
        )

    async def test_an_expired_token_is_explained_with_its_age(self) -> None:
        finding = await refused(token(), "expired 100 s ago; 30 s are allowed", "GET /api/auth/token", now=NOW + 1000)
        assert "compare the clocks" in str(finding.advice)
        await refused(token(), "expired 101 s ago;", "GET /api/auth/token", now=NOW + 1000.7)

    async def test_a_token_from_the_future_is_explained_with_the_difference(self) -> None:
        await refused(token(), "`iat` is 100 s ahead", "compare the clocks", now=NOW - 100)
        await refused(token(nbf=NOW + 500), "`nbf` is 500 s ahead", "compare the clocks")
        await refused(token(nbf=NOW - 500), "`iat` is 100 s ahead", "compare the clocks", now=NOW - 100)

    @pytest.mark.parametrize(
        ("exp", "shown"), [(NOW + 700_000, "700000 s"), (NOW + 1e300, "1e+300 s"), (10**300, "1e+300 s")]
    )
    async def test_too_long_a_lifetime_is_explained_with_its_length(self, exp: float, shown: str) -> None:
        what = f"its lifetime is {shown} from `iat` to `exp`, at most 604800 s"
        await refused(token(exp=exp), what, "raise EVO_TODO_MAX_TOKEN_LIFETIME")

    @pytest.mark.parametrize(
        ("claims", "shown"),
        [
            ({"exp": ABSENT}, "numbers of seconds: it has no `exp`; its `iat` is a number"),
            ({"exp": "soon"}, 'its `exp` is "soon"; its `iat` is a number'),
            ({"iat": True}, "its `iat` is a boolean"),
            ({"nbf": "now"}, 'its `iat` is a number; its `nbf` is "now"'),
        ],
    )
    async def test_dates_that_are_not_numbers_are_shown(self, claims: dict[str, Any], shown: str) -> None:
        finding = await refused(token(**claims), shown, "to the jwt plugin")
        assert ("`nbf`" in finding.detail) == ("nbf" in claims)

    async def test_a_token_that_is_bound_to_a_key_is_explained(self) -> None:
        await refused(token(cnf={"jkt": "x"}), "it has `cnf`: it is bound to a key", "without DPoP")

    @pytest.mark.parametrize(
        ("scope", "claims", "what"),
        [
            (None, {"azp": "app"}, "has `azp`, so it was issued to an application"),
            (None, {"client_id": "app", "scope": "tasks"}, "`client_id`, `scope`, so"),
            (None, {"scope": "tasks"}, 'its `scope` is "tasks", and EVO_TODO_SCOPE is not set'),
            ("tasks", {"scope": "openid"}, 'its `scope` is "openid", and EVO_TODO_SCOPE is "tasks"'),
            ("tasks", {"client_id": "app"}, 'it has no `scope`, and EVO_TODO_SCOPE is "tasks"'),
        ],
    )
    async def test_a_token_of_an_application_is_explained(
        self, scope: str | None, claims: dict[str, Any], what: str
    ) -> None:
        rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE, scope=scope)
        finding = await refused(token(**claims), what, "set EVO_TODO_SCOPE", rules=rules)
        assert "every path responds with 403" in finding.detail

    async def test_a_token_of_an_application_with_the_scope_is_accepted(self) -> None:
        rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE, scope="tasks")
        assert (await checked(token(client_id="app", scope="openid tasks"), rules=rules)).status is Status.OK

    async def test_an_invalid_session_is_explained(self) -> None:
        await refused(token(sid=""), "`sid` is not a string of 1 to 255 characters", "session.id")

    @pytest.mark.parametrize(
        ("sub", "what"),
        [
            (ABSENT, "no `sub`"),
            (5, "`sub` is not a string"),
            ("", "empty, longer than 255"),
            ("x" * 256, "longer than 255"),
            ("a\nb", "control characters"),
        ],
    )
    async def test_an_invalid_subject_is_explained_but_not_shown(self, sub: object, what: str) -> None:
        finding = await refused(token(sub=sub), what, "getSubject")
        assert "xxx" not in finding.detail

    async def test_a_security_event_is_not_an_access_token(self) -> None:
        await refused(token(events={}), "a security event", "get a JWT from Better Auth")


class TestHeader:
    @pytest.mark.parametrize(
        ("alg", "shown"), [("HS256", '`alg` is "HS256"'), ("none", '`alg` is "none"'), (ABSENT, "no `alg`")]
    )
    async def test_another_algorithm_is_shown(self, alg: object, shown: str) -> None:
        await refused(token({"alg": alg}), shown, 'jwks.keyPairConfig.alg "EdDSA"')

    async def test_another_algorithms_signature_is_explained_by_its_algorithm(self) -> None:
        head, body, _ = token({"alg": "RS256"}).split(".")
        await refused(f"{head}.{body}.{base64url(b'x' * 256)}", '`alg` is "RS256"', "EdDSA")

    async def test_a_cut_signature_is_explained(self) -> None:
        for length in range(1, 9):
            await refused(token()[:-length], "it was cut or changed", "copy the whole token again")
        await refused(f"{token()}AAA", "it was cut or changed", "copy the whole token again")
        await refused(f"{token()}!", "it was cut or changed", "copy the whole token again")

    async def test_another_type_of_token_is_shown(self) -> None:
        await refused(token({"typ": "logout+jwt"}), '`typ` is "logout+jwt"', "not an ID or logout token")

    async def test_a_refused_member_is_named(self) -> None:
        await refused(token({"jku": "https://evil.example.com", "crit": []}), "header has `jku`, `crit`", "get a JWT")

    @pytest.mark.parametrize(
        ("kid", "shown"),
        [(ABSENT, "no `kid`"), (5, "`kid` is a number"), ("", "0 characters"), ("x" * 257, "257 characters")],
    )
    async def test_a_token_without_a_kid_is_explained(self, kid: object, shown: str) -> None:
        await refused(token({"kid": kid}), shown, "get a JWT from Better Auth")

    async def test_an_unknown_key_is_shown_with_the_published_ones_and_its_issuer(self) -> None:
        finding = await refused(
            token({"kid": "\x1b[2J"}, iss="http://b"), r'`kid` is "\x1b[2J", but', "set EVO_TODO_JWKS_URL"
        )
        assert 'the published keys are "key-1"; its `iss` is "http://b"' in finding.detail


class TestSignature:
    async def test_a_forged_token_is_explained_with_its_kid(self) -> None:
        forged = Issuer.new(now=CLOCK).token(claims=PERSON)
        await refused(forged, 'does not match the published key "key-1"', "the token was changed")


class TestForm:
    async def test_too_long_a_token_is_explained_with_its_length(self) -> None:
        await refused("x" * 8193, "it has 8193 characters, at most 8192", "definePayload")

    @pytest.mark.parametrize("nothing", ["", "  ", "\n"])
    async def test_an_empty_token_is_called_empty(self, nothing: str) -> None:
        await refused(nothing, "it is empty", "GET /api/auth/token")

    @pytest.mark.parametrize("word", ["undefined", "null", "[object Object]", " None "])
    async def test_a_placeholder_is_recognized(self, word: str) -> None:
        await refused(word, "placeholder for a missing value", "fix the client")

    @pytest.mark.parametrize(
        ("before", "after", "what", "advice"),
        [
            ("Bearer ", "", "`Bearer` still before it", "what comes after"),
            ("bearer%20", "", "`Bearer` still before it", "what comes after"),
            ("Authorization: Bearer ", "", "a whole Authorization header", "what comes after `Bearer`"),
            ('"', '"', "a quotation mark before it", "remove the quotes"),
            ("\u201c", "\u201d", "a quotation mark before it", "remove the quotes"),
            ("", "'", "a quotation mark after it", "remove the quotes"),
            ('{"token":"', '"}\n', "JSON", "its member `token`"),
            ("better-auth.session_data=", "", "a session cookie", "GET /api/auth/token"),
            ("", "\r\n", "a newline around it", "remove the white space"),
            ("", " x", "white space in it", "copy the whole token again"),
            ("", "=", "padded with `=`", "copy the whole token again"),
            ("x.", ".y", "encrypted (JWE)", "get a JWT"),
            ("x.", "", "three parts between its dots", "copy the whole token again"),
            ("e", "", "its first part is not a JSON object", "copy the whole token again"),
        ],
    )
    async def test_extra_text_around_a_token_is_recognized(
        self, before: str, after: str, what: str, advice: str
    ) -> None:
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
            ("a!.b.c", "its first part is not a JSON object"),
        ],
    )
    async def test_other_secrets_are_recognized(self, other: str, what: str) -> None:
        await refused(other, what, "")

    async def test_a_payload_that_is_not_an_object_is_explained(self) -> None:
        header = compact_json({"alg": "EdDSA", "kid": "key-1"})
        await refused(SIGNER.sign(header, b"[1]"), "its second part is not a JSON object", "copy")
        await refused(SIGNER.sign(header, b"[" * 5000), "its second part is not a JSON object", "copy")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes except the faulty copies of functions that `make mutants` adds."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not re.search(r"__mutmut_[0-9]+$", getattr(child, "name", None) or ""):
            yield from nodes(child)


def reasons_given() -> Iterator[str]:
    """Every reason that InvalidToken is raised with in src/adapters/tokens."""
    for path in Path(jws.__file__).parent.glob("*.py"):
        for node in nodes(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "InvalidToken":
                (reason,) = node.args
                yield getattr(jws, reason.id) if isinstance(reason, ast.Name) else ast.literal_eval(reason)


def test_every_reason_for_refusing_an_access_token_is_explained_and_no_other() -> None:
    assert set(reasons_given()) - {jws.NO_SECURITY_EVENT} == set(EXPLANATIONS)


def test_a_replaced_key_and_an_unknown_reason_are_explained() -> None:
    rejected = RejectedToken(token=UnverifiedToken.parse(""), rules=RULES, keys={}, now=NOW)
    assert explain("The token's key has been replaced.", rejected)[0] == "its key was replaced while it was verified"
    assert explain("The token is blue.", rejected)[0] == "The token is blue."


async def test_no_log_line_repeats_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for unverified_token in (token(), f"Bearer {token()}", SIGNER.sign(b'{"alg":"EdDSA","kid":"key-1"}', b"[" * 5000)):
        await checked(unverified_token)
        assert unverified_token[-40:] not in caplog.text
