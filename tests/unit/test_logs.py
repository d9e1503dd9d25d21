"""A request's line is made on a shorter way than others, and looks no different."""

import json
import logging

import pytest

from adapters.http.request_log import RequestRecord
from entrypoints.logs import JsonLines, console_lines


@pytest.mark.parametrize("created", [1_700_000_000.0, 1_700_000_000.123456, 1_700_000_000.9999])
def test_a_requests_line_is_like_every_other(created: float) -> None:
    short = RequestRecord(logging.INFO, "GET", "/api/{user_id}/tasks", 200, 0.00123, "abc", created)
    long = logging.makeLogRecord(short.__dict__)
    assert type(long) is not type(short)
    line = JsonLines().format(short)
    assert list(json.loads(line).items()) == list(json.loads(JsonLines().format(long)).items())
    assert json.loads(line)["timestamp"].startswith("2023-11-14T22:13:20.")
    assert json.loads(line)["ms"] == 1.2
    assert json.loads(line)["request_id"] == "abc"


def test_on_a_console_it_tells_when_the_request_ended() -> None:
    record = RequestRecord(logging.INFO, "GET", "/api/{user_id}/tasks", 200, 0.00123, "abc", 1_700_000_000.0)
    line = console_lines().format(record)
    assert "2023-11-14T22:13:20.000000Z" in line
    assert "request_id=abc" in line
