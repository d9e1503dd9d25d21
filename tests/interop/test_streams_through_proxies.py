"""Event streams through proxies, tuned or as they come: nothing is held back, and both ends learn of the end."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import StartApi
from tests.support.live import EVENTS, HANG, Event, EventStream
from tests.support.loopback_issuer import LoopbackIssuer, an_issuer
from tests.support.proxies import COMMANDS, proxy
from tests.support.service import HOST, Service, eventually

LIST = "/api/alice/tasks"


@pytest.fixture
def issuer() -> Iterator[LoopbackIssuer]:
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture
def service(start_api: StartApi, issuer: LoopbackIssuer) -> Iterator[Service]:
    with start_api(issuer.settings) as it:
        yield it


@pytest.fixture(params=COMMANDS)
def port(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Iterator[int]:
    with proxy(request.param, service.port, tmp_path) as port:
        yield port


def streams(service: Service) -> float:
    lines = service.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("evo_todo_streams{"))


async def test_each_event_passes_when_it_is_sent_and_so_does_the_end(
    port: int, service: Service, issuer: LoopbackIssuer
) -> None:
    headers = {"Authorization": f"Bearer {issuer.token('alice')}"}
    async with httpx.AsyncClient(
        base_url=f"http://{HOST}:{port}", headers=headers, timeout=HANG, trust_env=False, verify=False
    ) as http:
        async with http.stream("GET", EVENTS) as response:
            stream = EventStream(response)
            event = await stream.next("ready")
            for number in range(5):
                task = (await http.post(LIST, json={"title": f"{number}"})).json()
                event = await stream.next("task.changed")
                assert event.data == task
        await asyncio.to_thread(eventually, lambda: streams(service) == 0)  # the proxy has passed the end on
        async with http.stream("GET", EVENTS, headers={"Last-Event-ID": event.id or ""}) as response:
            stream = EventStream(response)
            assert await stream.next() == Event("ready", {}, event.id)
            service.send_signal(signal.SIGTERM)
            assert await stream.rest() == [Event("end", {"reason": "stopping"}, None)]
