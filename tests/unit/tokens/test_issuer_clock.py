"""Compare the issuer's clock with ours: Date has whole seconds, and the response was made between start and end."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from adapters.tokens.doctor.issuer_check import check_clocks
from adapters.tokens.jwks import JwksResponse
from application.health import Finding, Status

NOW = 1_800_000_000.0


def checked(
    ahead: float = 0, *, took: float = 0, leeway: float = 30, date: str | None = None, age: str | None = None
) -> Finding:
    issuer_date = date or format_datetime(datetime.fromtimestamp(NOW + ahead, UTC), usegmt=True)
    finding = check_clocks(
        JwksResponse(b"", issuer_date, age), started=NOW, ended=NOW + took, leeway=leeway, name="clock"
    )
    assert finding.name == "clock"
    return finding


@pytest.mark.parametrize("ahead", [0, 1, 30, -1, -30, -31])
def test_clocks_that_may_agree_within_the_leeway_are_ok(ahead: float) -> None:
    assert checked(ahead).status is Status.OK


@pytest.mark.parametrize("leeway", [0, 30])
def test_the_fraction_of_a_second_that_date_omits_is_no_difference(leeway: float) -> None:
    assert "agrees" in checked(0, leeway=leeway).detail
    assert "agrees" in checked(-1, leeway=leeway).detail
    assert checked(-2 - leeway, leeway=leeway).status is Status.FAILED


def test_a_slow_response_may_have_been_made_at_any_time_until_its_end() -> None:
    assert checked(33, took=3).status is Status.OK
    assert checked(34, took=3).status is Status.FAILED
    assert checked(-32, took=3).status is Status.FAILED


def test_a_difference_within_the_leeway_is_reported() -> None:
    assert "differs from this machine's by 20 s; 30 s are allowed" in checked(20).detail


def test_an_issuer_ahead_makes_tokens_that_are_not_valid_yet() -> None:
    finding = checked(120)
    assert finding.status is Status.FAILED
    assert "120 s ahead of this machine's, 30 s are allowed" in finding.detail
    assert "2027-01-15T08:02:00Z there, 2027-01-15T08:00:00Z here" in finding.detail
    assert "if it is this machine's, set it forward" in str(finding.advice)
    assert "not valid yet" in str(finding.advice)


def test_an_issuer_behind_makes_tokens_that_expire_too_early() -> None:
    finding = checked(-120)
    assert finding.status is Status.FAILED
    assert "119 s behind this machine's" in finding.detail
    assert "if it is the issuer's, set it forward" in str(finding.advice)
    assert "expire too early" in str(finding.advice)


@pytest.mark.parametrize("date", ["", "now", "\x1b[31m", "Fri, 15 Jan 99999 08:00:00 GMT", "x" * 5000])
def test_without_a_valid_date_the_clocks_are_not_checked(date: str) -> None:
    finding = check_clocks(JwksResponse(b"", date, None), started=NOW, ended=NOW, leeway=30, name="clock")
    assert finding == Finding.skipped("clock", "the issuer's response has no valid Date header")
    assert check_clocks(JwksResponse(b"", None, None), started=NOW, ended=NOW, leeway=30, name="clock") == finding


@pytest.fixture
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as here:
        here.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_from_utc")
def test_a_date_has_the_zone_it_names_or_else_utc_in_any_local_zone() -> None:
    assert checked(date="Fri, 15 Jan 2027 08:00:00 -0000").status is Status.OK
    assert checked(date="Fri, 15 Jan 2027 10:00:00 +0200").status is Status.OK
    assert "2027-01-15T08:00:00Z here" in checked(120).detail


def test_a_response_from_a_cache_is_not_checked() -> None:
    finding = checked(120, age="7")
    assert finding == Finding.skipped("clock", "the response comes from a cache")
