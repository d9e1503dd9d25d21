import pytest

from domain.rate_limit import RateLimit, RateLimitStatus


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("600/minute", RateLimit(600, 60)),
        ("10/second", RateLimit(10, 1)),
        ("1/hour", RateLimit(1, 3600)),
        ("5/day", RateLimit(5, 86400)),
        ("1000000000/minute", RateLimit(1_000_000_000, 60)),
        ("off", None),
    ],
)
def test_a_limit_is_written_as_a_number_per_unit_or_off(text: str, limit: RateLimit | None) -> None:
    assert RateLimit.parse(text) == limit


@pytest.mark.parametrize("text", ["", "0/minute", "-1/minute", "1/week", "1.5/second", "٣/second", "1/minute\n", "OFF"])
def test_anything_else_is_not_a_limit(text: str) -> None:
    with pytest.raises(ValueError, match="such as 600/minute, or off"):
        RateLimit.parse(text)


@pytest.mark.parametrize(
    ("used", "remaining", "is_exceeded", "is_first_excess"),
    [(1, 2, False, False), (3, 0, False, False), (4, 0, True, True), (5, 0, True, False)],
)
def test_the_amount_itself_is_allowed_and_one_more_is_not(
    used: int, remaining: int, is_exceeded: bool, is_first_excess: bool
) -> None:
    status = RateLimitStatus(RateLimit(3, 60), used, 12.3)
    assert status.remaining == remaining
    assert status.is_exceeded is is_exceeded
    assert status.is_first_excess is is_first_excess


@pytest.mark.parametrize(("reset", "seconds"), [(60, 60), (59.001, 60), (0.001, 1), (0, 1)])
def test_a_client_that_waits_for_the_reset_is_not_too_early(reset: float, seconds: int) -> None:
    assert RateLimitStatus(RateLimit(3, 60), 1, reset).reset_seconds == seconds
