"""The frontend exits on SIGTERM, even with open connections."""

import signal
import socket
from pathlib import Path

import pytest

from tests.support.frontend import frontend
from tests.support.service import HOST, STOP_TIMEOUT


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /login HTTP/1.1\r\nHost: loc",
        b"POST /api/auth/sign-out HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "partial headers", "partial body"],
)
def test_it_exits_despite_a_client_that_has_sent_an_incomplete_request(tmp_path: Path, sent: bytes) -> None:
    with frontend(folder=tmp_path, settings={}) as web, socket.create_connection((HOST, web.port)) as silent:
        silent.sendall(sent)
        assert web.client().get("/ok").is_success

        web.process.send_signal(signal.SIGTERM)

        assert web.process.wait(STOP_TIMEOUT) == 128 + signal.SIGTERM
