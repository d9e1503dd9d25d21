"""The frontend ends when it is told to, whatever is connected to it."""

import signal
import socket
from pathlib import Path

import pytest

from tests.support.frontend import frontend
from tests.support.service import HOST, LAST_WORD


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /login HTTP/1.1\r\nHost: loc",
        b"POST /api/auth/sign-out HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_it_ends_though_somebody_has_connected_and_said_little(tmp_path: Path, said: bytes) -> None:
    with frontend(folder=tmp_path, settings={}) as web, socket.create_connection((HOST, web.port)) as silent:
        silent.sendall(said)
        assert web.client().get("/ok").is_success

        web.process.send_signal(signal.SIGTERM)

        assert web.process.wait(LAST_WORD) == 128 + signal.SIGTERM
