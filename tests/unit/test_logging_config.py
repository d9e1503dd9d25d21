"""The access log has a fast path of its own, whose lines look like all others."""

import json
import logging
from datetime import UTC, datetime
from http import HTTPStatus

import pytest

from adapters.http.access_log import AccessLogLine, AccessLogRecord
from entrypoints.logging_config import ConsoleLines, JsonLines

ROUTE = "/api/{user_id}/tasks"


def lines_of(*requests: tuple[float, str]) -> AccessLogRecord:
    return AccessLogRecord(
        logging.INFO,
        [
            AccessLogLine(
                "request", "info", "adapters.http.access_log", "GET", ROUTE, HTTPStatus.OK, 1.2, name, at(when)
            )
            for when, name in requests
        ],
    )


def at(when: float) -> datetime:
    return datetime.fromtimestamp(when, UTC)


@pytest.mark.parametrize("ended", [1_700_000_000.000001, 1_700_000_000.123456, 1_700_000_000.9999])
def test_a_line_of_the_access_log_is_like_every_other(ended: float) -> None:
    record = lines_of((ended, "abc"), (ended + 1, "def"))
    lines = JsonLines().format(record).split("\n")
    assert lines == [JsonLines().format(one) for one in record.one_by_one()]
    first, second = map(json.loads, lines)
    assert (first["request_id"], second["request_id"]) == ("abc", "def")
    assert first["timestamp"].startswith("2023-11-14T22:13:20.")
    assert (first["event"], first["level"], first["ms"]) == ("request", "info", 1.2)


def test_on_a_console_each_line_has_the_end_of_its_request() -> None:
    first, second = ConsoleLines().format(lines_of((1_700_000_000.0, "abc"), (1_700_000_001.5, "def"))).split("\n")
    assert "2023-11-14T22:13:20.000000Z" in first
    assert "request_id=abc" in first
    assert "status=200" in second
    assert "2023-11-14T22:13:21.500000Z" in second
    assert "request_id=def" in second


def test_the_message_names_the_request_and_its_status() -> None:
    assert lines_of((0, "abc"), (0, "def")).getMessage() == (
        f"GET {ROUTE} 200 1.2 ms, request abc\nGET {ROUTE} 200 1.2 ms, request def"
    )
