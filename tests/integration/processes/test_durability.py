import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from attrs import define, field

from tests.integration.processes.issuer import LoopbackIssuer
from tests.integration.processes.service import Service, eventually, running
from tests.postgres import PostgresServer

CLIENTS = 8


@define
class Load:
    """Clients that create tasks as fast as they are answered, and remember what they were promised."""

    service: Service
    token: str
    promised: list[str] = field(factory=list)
    other_answers: list[httpx.Response] = field(factory=list)
    _enough: threading.Event = field(factory=threading.Event)

    def create(self, client: int) -> None:
        with self.service.client(self.token) as http:
            while not self._enough.is_set():
                try:
                    answer = http.post("/api/alice/tasks", json={"title": f"From client {client}"})
                except httpx.TransportError:  # nothing was promised
                    self._enough.wait(0.05)
                    continue
                if answer.status_code == 201:
                    self.promised.append(answer.json()["id"])
                else:
                    self.other_answers.append(answer)
                    self._enough.wait(0.05)

    @contextmanager
    def running(self) -> Generator[None]:
        with ThreadPoolExecutor(CLIENTS) as clients:
            ends = [clients.submit(self.create, client) for client in range(CLIENTS)]
            try:
                yield
            finally:
                self._enough.set()
        for end in ends:
            end.result()

    def wait_for(self, more: int) -> None:
        goal = len(self.promised) + more
        eventually(lambda: len(self.promised) >= goal)


def assert_kept(promised: list[str], service: Service, token: str) -> None:
    """Every promise is found by its id, and none was made twice."""
    assert len(set(promised)) == len(promised)
    with service.client(token) as client:
        lost = [task for task in promised if client.get(f"/api/alice/tasks/{task}").status_code != 200]
    assert lost == []


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite:///tasks.db"
    server: PostgresServer = request.getfixturevalue("own_postgres")
    return server.url


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_what_was_promised_outlives_a_service_that_is_killed(
    database: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    token = issuer.token("alice")
    settings = {"DATABASE_URL": database} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        load = Load(service, token)
        with load.running():
            load.wait_for(100)
            service.kill()

    with running("serve", folder=tmp_path, settings=settings) as service:
        assert load.other_answers == []
        assert_kept(load.promised, service, token)


def test_what_was_promised_outlives_a_database_that_crashes_and_the_service_goes_on_by_itself(
    own_postgres: PostgresServer, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    token = issuer.token("alice")
    settings = {"DATABASE_URL": own_postgres.url} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        load = Load(service, token)
        with load.running():
            load.wait_for(100)
            own_postgres.crash()
            eventually(lambda: load.other_answers)
            own_postgres.start()
            load.wait_for(100)

        assert {answer.status_code for answer in load.other_answers} == {503}
        assert all("Retry-After" in answer.headers for answer in load.other_answers)
        assert_kept(load.promised, service, token)
