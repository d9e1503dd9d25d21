"""Clients that create tasks while something fails, and a check that every acknowledged task is stored."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
from attrs import define, field

from tests.support.service import Service, eventually

CLIENTS = 8


@define
class Load:
    """Clients that create tasks as fast as they get responses, and record the acknowledged ones."""

    service: Service
    token: str
    acknowledged: list[str] = field(factory=list)
    other_responses: list[httpx.Response] = field(factory=list)
    _enough: threading.Event = field(factory=threading.Event)

    def create(self, client: int) -> None:
        with self.service.client(self.token) as http:
            while not self._enough.is_set():
                try:
                    response = http.post("/api/alice/tasks", json={"title": f"From client {client}"})
                except httpx.TransportError:  # nothing was acknowledged
                    self._enough.wait(0.05)
                    continue
                if response.status_code == 201:
                    self.acknowledged.append(response.json()["id"])
                else:
                    self.other_responses.append(response)
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
        goal = len(self.acknowledged) + more
        eventually(lambda: len(self.acknowledged) >= goal)


def assert_kept(acknowledged: list[str], service: Service, token: str) -> None:
    """Every acknowledged task is found by its id, and no id occurs twice."""
    assert len(set(acknowledged)) == len(acknowledged)
    with service.client(token) as client:
        lost = [task for task in acknowledged if client.get(f"/api/alice/tasks/{task}").status_code != 200]
    assert lost == []
