import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from adapters.http.routing import TASKS as LIST
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import STOP_TIMEOUT, Service, eventually, group, running
from tests.support.wire import Wire, wire

BODY = b'{"title":"Buy milk"}'


@contextmanager
def started(issuer: LoopbackIssuer, folder: Path, *, workers: int) -> Generator[Service]:
    settings = {"DATABASE_URL": "sqlite:///tasks.db", "EVO_TODO_WORKERS": str(workers)}
    with running("serve", "--migrate", folder=folder, settings=settings | issuer.settings) as service:
        yield service


@pytest.fixture
def own_service(issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    with started(issuer, tmp_path, workers=1) as service:
        yield service


def announce(connection: Wire, token: str) -> None:
    """Ask to create a task, and return when the service waits for the body."""
    connection.send(
        "POST /api/alice/tasks HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        "Expect: 100-continue",
    )
    assert connection.response().status == 100


def assert_stops_in_time(service: Service) -> None:
    assert service.wait() in {0, -signal.SIGTERM}
    eventually(lambda: not list(group(service.process)), within=STOP_TIMEOUT)
    assert service.is_refusing()


def test_an_idle_connection_does_not_hold_up_the_end(own_service: Service) -> None:
    with wire(own_service.port) as idle:
        idle.send("GET /health HTTP/1.1", "Host: localhost")
        assert idle.response().status == 200

        own_service.send_signal(signal.SIGTERM)

        assert idle.is_closed()
        assert_stops_in_time(own_service)


def test_what_is_in_flight_is_finished_while_newcomers_are_refused(
    own_service: Service, issuer: LoopbackIssuer
) -> None:
    with wire(own_service.port) as busy:
        announce(busy, issuer.token("alice"))
        own_service.send_signal(signal.SIGTERM)
        eventually(own_service.is_refusing)

        busy.send_bytes(BODY)

        created = busy.response()
        assert created.status == 201
        assert created.json["title"] == "Buy milk"
        assert created.headers["Connection"] == "close"
        assert busy.is_closed()
        assert_stops_in_time(own_service)


def test_a_client_that_never_finishes_does_not_hold_up_the_end(issuer: LoopbackIssuer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        services, waiting = [], []
        for workers in (1, 2):
            (folder := tmp_path / f"{workers}").mkdir()
            service = stack.enter_context(started(issuer, folder, workers=workers))
            announce(stuck := stack.enter_context(wire(service.port)), issuer.token("alice"))
            stuck.send_bytes(BODY[:5])
            services.append(service)
            waiting.append(stuck)
        for service in services:
            service.send_signal(signal.SIGTERM)
        for service, stuck in zip(services, waiting, strict=True):
            assert_stops_in_time(service)
            answer = stuck.response()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert [
                line["status"] for line in service.log_lines if line["event"] == "request" and line["route"] == LIST
            ] == [503]
            assert "Traceback" not in service.log
