"""The issuer's clock against ours, by the time that its answer bears."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.tokens.fetch import Answer
from application.diagnosis import Finding

RESOLUTION: Final = 1.0
"""Seconds: the header leaves out their fraction (RFC 9110 §5.6.7)."""


def judge_clocks(answer: Answer, *, started: float, ended: float, leeway: float, name: str) -> Finding:
    """Whether the clocks differ by more than the leeway, for sure: the answer was made between start and end."""
    there = _seconds(answer.date)
    if there is None:
        return Finding.not_judged(name, "the issuer's answer bears no Date")
    if answer.age is not None:
        return Finding.not_judged(name, "the answer comes out of a cache")
    ahead, behind = there - ended, started - (there + RESOLUTION)
    apart = max(ahead, behind, 0.0)
    if apart <= leeway:
        agree = "agrees with this machine's" if apart == 0 else f"differs from this machine's by {apart:.0f} s"
        return Finding.ok(name, f"the issuer's clock {agree}; {leeway:g} s are allowed")
    return Finding.failed(
        name,
        f"the issuer's clock is {apart:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's, {leeway:g} s are"
        f" allowed: it is {_time(there)} there, {_time(ended)} here",
        f"set the clock that is wrong (NTP): {_consequence(is_ahead=ahead > 0)}",
    )


def _consequence(*, is_ahead: bool) -> str:
    if is_ahead:
        return "if it is this machine's, set it forward, else the issuer's back; until then tokens are not valid yet"
    return "if it is the issuer's, set it forward, else this machine's back; until then tokens expire too early"


def _seconds(date: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(date or "")
        # A date without a zone is in UTC here (RFC 9110 §5.6.7).
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
