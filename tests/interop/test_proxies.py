"""Behind a proxy that uses one connection for everybody, what one person sends costs another nothing."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import StartApi
from tests.support.connection_cases import ENDING, GOING_ON
from tests.support.loopback_issuer import an_issuer
from tests.support.protocol import EARLY
from tests.support.proxies import proxy
from tests.support.service import HOST, TIMEOUT, Service

CASES = ENDING | GOING_ON


@pytest.fixture(scope="module")
def service(start_api: StartApi) -> Iterator[Service]:
    with an_issuer() as issuer, start_api(issuer.settings) as it:
        yield it


@pytest.fixture(scope="module", params=["haproxy", "nginx"])
def port(request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with proxy(request.param, service.port, folder) as port:
        yield port


@pytest.mark.parametrize("request_", CASES.values(), ids=CASES)
@pytest.mark.parametrize("path", ["/livez", "/api/alice/tasks"])
def test_the_next_persons_request_is_answered(port: int, request_: bytes, path: str) -> None:
    case = request_.replace(b"/task", path.encode(), 1).replace(EARLY.encode(), path.encode(), 1)
    with socket.create_connection((HOST, port), timeout=TIMEOUT) as one_person:
        one_person.sendall(case)
        assert one_person.recv(65536)
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=TIMEOUT, trust_env=False, verify=False) as another:
            assert [another.get("/livez").status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("name", ["haproxy", "nginx"])
def test_under_a_prefix_every_link_leads_back_through_the_proxy(name: str, start_api: StartApi, tmp_path: Path) -> None:
    with (
        an_issuer() as issuer,
        start_api(issuer.settings | {"EVO_TODO_ROOT_PATH": "/todo"}) as service,
        proxy(name, service.port, tmp_path) as port,
        httpx.Client(base_url=f"http://{HOST}:{port}", timeout=TIMEOUT, trust_env=False, verify=False) as client,
    ):
        client.headers["Authorization"] = f"Bearer {issuer.token('alice')}"
        created = client.post("/todo/api/alice/tasks", json={"title": "Buy milk"})
        client.post("/todo/api/alice/tasks", json={"title": "Buy bread"})
        assert client.get(created.headers["Location"]).json() == created.json()
        page = client.get("/todo/api/alice/tasks?limit=1")
        assert client.get(page.links["next"]["url"]).json()["count"] == 1
        assert client.get("/todo/", follow_redirects=True).url.path == "/todo/docs"
