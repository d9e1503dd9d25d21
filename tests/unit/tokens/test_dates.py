"""Since when and until when a token counts: R15."""

from typing import Any

import pytest

from adapters.tokens.claims import ClaimRules
from adapters.tokens.jws import MALFORMED
from domain.errors import InvalidToken
from tests.support.json_cases import short
from tests.support.rejections import ALICE
from tests.support.tokens import ABSENT, AUDIENCE, ISSUER, LIFETIME, compact_json
from tests.support.verification import HEADER, NOW, SIGNER, refusal, verify

LEEWAY = 30
WEEK = 7 * 24 * 3600
DATES = "The token's dates are missing or not numbers."
EARLY = "The token is not valid yet."
EXPIRED = "The token has expired."
NO_DATES: list[Any] = [
    *(ABSENT, None, True, False, "", "1800000000", [], [NOW], {}),
    *(float("nan"), float("inf"), float("-inf")),
]
NOT_FINITE: list[Any] = [10**309, -(10**309), 10**4000]
"""Integers beyond every float."""


class TestDates:
    """R15: finite numbers, compared with a little leeway."""

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize("value", NO_DATES, ids=short)
    async def test_a_date_that_is_not_a_finite_number_is_refused(self, name: str, value: object) -> None:
        if (name, value) == ("nbf", ABSENT):
            assert await verify(SIGNER.token(nbf=ABSENT)) == ALICE
        else:
            assert await refusal(SIGNER.token(claims={name: value})) in {DATES, MALFORMED}

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize("value", NO_DATES[1:] + NOT_FINITE, ids=short)
    def test_the_rules_alone_refuse_a_date_that_is_not_a_finite_number(self, name: str, value: object) -> None:
        rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
        with pytest.raises(InvalidToken) as refused:
            rules.validate(SIGNER.claims() | {name: value}, now=NOW)
        assert refused.value.reason == DATES

    @pytest.mark.parametrize("name", ["exp", "iat"])
    async def test_a_required_date_may_not_be_omitted(self, name: str) -> None:
        assert await refusal(SIGNER.token(claims={name: ABSENT})) == DATES

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize(
        "text", [b"1e400", b"-1e400", b"1" + b"0" * 400, b"-1" + b"0" * 400, b"9" * 5000], ids=short
    )
    async def test_a_number_beyond_every_float_is_refused(self, name: str, text: bytes) -> None:
        claims = SIGNER.claims() | {name: 0}
        payload = compact_json(claims).replace(f'"{name}":0'.encode(), f'"{name}":'.encode() + text)
        assert await refusal(SIGNER.sign(HEADER, payload)) in {DATES, MALFORMED}

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize(
        "value", [1e308, -1e308, 10**308, -(10**308), 253402300800, -62135596801, 2**63, 0], ids=short
    )
    async def test_a_number_beyond_every_calendar_is_only_a_number(self, name: str, value: float) -> None:
        token = SIGNER.token(claims={name: value})
        if name == "nbf" and value <= NOW:
            assert await verify(token) == ALICE
        else:
            assert await refusal(token) in {EXPIRED, EARLY, "The token's lifetime is too long."}

    @pytest.mark.parametrize("number", [int, float])
    async def test_dates_may_have_a_fraction(self, number: type) -> None:
        token = SIGNER.token(iat=number(NOW - 1), nbf=number(NOW - 1), exp=number(NOW + 60))
        assert await verify(token) == ALICE

    async def test_a_token_expires_when_its_leeway_is_over(self) -> None:
        token = SIGNER.token(exp=NOW)
        assert await verify(token, now=NOW + LEEWAY - 0.001) == ALICE
        assert await refusal(token, now=NOW + LEEWAY) == EXPIRED
        assert await refusal(token, now=NOW + 10 * WEEK) == EXPIRED

    def test_the_rules_alone_refuse_an_expired_token(self) -> None:
        rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
        with pytest.raises(InvalidToken) as refused:
            rules.validate(SIGNER.claims(), now=NOW + LIFETIME + LEEWAY)
        assert refused.value.reason == EXPIRED

    @pytest.mark.parametrize("name", ["iat", "nbf"])
    async def test_a_token_from_the_future_is_refused_beyond_the_leeway(self, name: str) -> None:
        assert await verify(SIGNER.token(claims={name: NOW + LEEWAY})) == ALICE
        assert await refusal(SIGNER.token(claims={name: NOW + LEEWAY + 0.001})) == EARLY

    async def test_both_iat_and_nbf_count(self) -> None:
        assert await refusal(SIGNER.token(iat=NOW - 10, nbf=NOW + 60)) == EARLY
        assert await refusal(SIGNER.token(iat=NOW + 60, nbf=NOW - 10)) == EARLY
        assert await verify(SIGNER.token(iat=NOW - 10, nbf=NOW - 60)) == ALICE

    async def test_a_lifetime_of_more_than_a_week_is_refused(self) -> None:
        assert await verify(SIGNER.token(exp=NOW + WEEK)) == ALICE
        assert await refusal(SIGNER.token(exp=NOW + WEEK + 0.5)) == "The token's lifetime is too long."
        assert await refusal(SIGNER.token(iat=NOW - WEEK, exp=NOW + 1)) == "The token's lifetime is too long."

    async def test_leeway_and_lifetime_are_settings(self) -> None:
        rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE, leeway=0, max_lifetime=60)
        assert await verify(SIGNER.token(exp=NOW + 60), rules=rules) == ALICE
        assert await refusal(SIGNER.token(exp=NOW), rules=rules) == EXPIRED
        assert await refusal(SIGNER.token(exp=NOW + 61), rules=rules) == "The token's lifetime is too long."
        assert await refusal(SIGNER.token(iat=NOW + 1, exp=NOW + 5), rules=rules) == EARLY

    def test_the_usual_rules_are_those_of_the_contract(self) -> None:
        rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
        assert (rules.leeway, rules.max_lifetime) == (30, 604800)
        assert rules.validate(SIGNER.claims(), now=NOW) == (ALICE, NOW + LIFETIME)
