"""The filters in front of the audit log's table, and the output of `evo-todo audit`."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory.access import MemoryAuditLog
from adapters.system import audit_filters as audit
from adapters.system.audit_filters import LoggingAuditLog, RateLimitedAuditLog
from domain.audit import AuditContext, AuditEvent, AuditKind, token_digest
from domain.identity import UserId
from entrypoints.operator_commands import as_json, as_text, since
from tests.contracts.audit_logs import FULL, NOON
from tests.support.fake_issuer import ManualTime


def refused(
    peer: str = "192.0.2.1",
    kind: AuditKind = AuditKind.TOKEN_REFUSED,
    *,
    user: str | None = None,
    reason: str | None = None,
) -> AuditEvent:
    who = None if user is None else UserId(user)
    return AuditEvent(kind=kind, at=NOON, context=AuditContext("r", peer), user_id=who, reason=reason)


class TestThinned:
    def test_a_flood_of_one_origin_leaves_as_many_as_one_can_read_and_a_number(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept, clock = MemoryAuditLog(), ManualTime(0)
        log = RateLimitedAuditLog(kept, clock)
        for _ in range(1000):
            log.record(refused())
        log.record(refused("192.0.2.2"))
        log.record(refused(kind=AuditKind.ACCESS_DENIED))
        assert len(kept.events) == audit.PER_WINDOW + 2
        clock.advance(60)
        log.record(refused())
        assert len(kept.events) == audit.PER_WINDOW + 3
        assert [record.left_out for record in caplog.records] == [970]  # type: ignore[attr-defined]

    def test_a_flood_hides_neither_another_reason_nor_another_user_behind_the_same_proxy(self) -> None:
        kept = MemoryAuditLog()
        log = RateLimitedAuditLog(kept, ManualTime(0))
        for _ in range(1000):
            log.record(refused(reason="The token is malformed."))
            log.record(refused(kind=AuditKind.ACCESS_DENIED, user="mallory"))
        revoked = refused(reason="The token has been revoked.")
        denied = refused(kind=AuditKind.ACCESS_DENIED, user="alice")
        log.record(revoked)
        log.record(denied)
        assert list(kept.events)[2 * audit.PER_WINDOW :] == [revoked, denied]

    def test_what_takes_a_good_token_or_key_always_passes(self) -> None:
        kept = MemoryAuditLog()
        log = RateLimitedAuditLog(kept, ManualTime(0))
        for _ in range(100):
            log.record(refused(kind=AuditKind.SESSION_REVOKED))
        assert len(kept.events) == 100

    @pytest.mark.parametrize("pattern", ["192.0.2.{:d}", "2001:db8:1:{:x}::1", "client {:d}"])
    def test_endless_sources_of_one_site_share_the_limit_of_one(self, pattern: str) -> None:
        kept = MemoryAuditLog()
        log = RateLimitedAuditLog(kept, ManualTime(0), max_sources=5)
        for number in range(256):
            log.record(refused(pattern.format(number)))
        assert len(kept.events) == 5 + audit.PER_WINDOW

    @pytest.mark.parametrize("pattern", ["192.{:d}.{:d}.1", "2001:{:x}:{:x}:1::1"])
    def test_endless_sources_of_one_provider_and_of_many_are_bounded_too(self, pattern: str) -> None:
        kept = MemoryAuditLog()
        log = RateLimitedAuditLog(kept, ManualTime(0), max_sources=5)
        for site in range(256):
            log.record(refused(pattern.format(0, site)))
        assert len(kept.events) == 5 + 5 + audit.PER_WINDOW
        for provider in range(1, 256):
            log.record(refused(pattern.format(provider, 0)))
        assert len(kept.events) == 5 + 5 + audit.PER_WINDOW + 4 + audit.PER_WINDOW, "those of a region share one limit"


def test_every_event_is_logged_with_all_members_that_are_set(caplog: pytest.LogCaptureFixture) -> None:
    kept = MemoryAuditLog()
    with caplog.at_level(logging.INFO, logger="audit"):
        LoggingAuditLog(kept).record(FULL)
        LoggingAuditLog(kept).record(refused())
    line, bare = (record.__dict__ for record in caplog.records)
    assert next(iter(kept.events)) == FULL
    assert {name: line[name] for name in ("kind", "user_id", "session_id", "request_id", "peer", "token_digest")} == {
        "kind": "session-revoked",
        "user_id": "alice",
        "session_id": "s-1",
        "request_id": "r-1",
        "peer": "2001:db8::1",
        "token_digest": "0123456789abcdef",
    }
    assert "user_id" not in bare


def test_an_email_address_as_a_user_id_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    kept = MemoryAuditLog()
    event = AuditEvent(kind=AuditKind.SESSION_SEEN, at=NOON, user_id=UserId("ann@example.com"))
    with caplog.at_level(logging.INFO, logger="audit"):
        LoggingAuditLog(kept).record(event)
    assert caplog.records[0].__dict__["user_id"].startswith("sha256:")
    assert "ann" not in str(caplog.records[0].__dict__)
    assert next(iter(kept.events)) == event, "but the table has the ID itself"


def test_a_token_digest_does_not_reveal_the_token() -> None:
    assert token_digest("bad") == "2f05d4b689d270ca"
    assert len(token_digest("\ud800" * 9000)) == 16


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("90s", NOON - timedelta(seconds=90)),
        ("30m", NOON - timedelta(minutes=30)),
        ("2h", NOON - timedelta(hours=2)),
        ("7d", NOON - timedelta(days=7)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_start_is_a_duration_or_a_date(text: str, instant: datetime) -> None:
    assert since(text, NOON) == instant


@pytest.mark.parametrize("text", ["", "yesterday", "5", "5w", "-2h", "2026-13-01"])
def test_an_invalid_start_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        since(text, NOON)


def test_a_json_line_has_the_members_that_are_set() -> None:
    assert json.loads(as_json(FULL)) == {
        "at": "2026-01-01T12:00:00.000Z",
        "kind": "session-revoked",
        "user_id": "alice",
        "session_id": "s-1",
        "peer": "2001:db8::1",
        "request_id": "r-1",
        "token_digest": "0123456789abcdef",
        "reason": "The token has expired.",
    }


def test_a_text_line_contains_no_control_characters() -> None:
    hostile = AuditEvent(kind=AuditKind.SESSION_SEEN, at=NOON, user_id=UserId("a\x9b2J\x1b[2Jb \u202e"))
    line = as_text(hostile)
    assert line.isascii()
    assert line.isprintable()
    assert line.startswith("2026-01-01T12:00:00.000Z  session-seen")
