"""Each request of the table on a connection of its own: the next one is answered, or the connection is closed."""

import contextlib
import socket

import pytest

from tests.support.connection_cases import ENDING, GOING_ON
from tests.support.protocol import EARLY, statuses
from tests.support.service import HOST, Service

NEXT = b"GET /livez HTTP/1.1\r\nHost: api.test\r\nX-Request-Id: the-next-one\r\n\r\n"
TIMEOUT = 10
"""Seconds of silence that count as: the next request was lost."""


@pytest.mark.parametrize(
    ("request_", "is_last"),
    [*((case, True) for case in ENDING.values()), *((case, False) for case in GOING_ON.values())],
    ids=[*ENDING, *GOING_ON],
)
@pytest.mark.parametrize("is_pipelined", [False, True], ids=["after the response", "pipelined"])
def test_the_next_request_is_answered_once_or_the_connection_is_closed(
    service: Service, request_: bytes, is_last: bool, is_pipelined: bool
) -> None:
    case = request_.replace(b"/task", b"/livez", 1).replace(EARLY.encode(), b"/api/alice/tasks", 1)
    with socket.create_connection((HOST, service.port), timeout=TIMEOUT) as client:
        client.sendall(case + NEXT if is_pipelined else case)
        received = client.recv(65536)
        with contextlib.suppress(ConnectionError):  # closed
            if not is_pipelined:
                client.sendall(NEXT)
            while b"x-request-id: the-next-one" not in received and (more := client.recv(65536)):
                received += more

    assert (b"x-request-id: the-next-one" in received) == (not is_last)
    assert len([status for status in statuses(received) if status != 100]) <= 2
