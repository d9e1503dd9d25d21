"""The lines for nginx and haproxy in docs/operations.md and docs/how-to/proxy.md, as written but for the port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.interop.conftest import StartApi
from tests.support.code_blocks import blocks, shell_blocks
from tests.support.loopback_issuer import an_issuer
from tests.support.proxies import PASS, proxy
from tests.support.service import HOST, TIMEOUT

PROXIES = ("nginx", "haproxy")
PREFIX, COMPRESSION = ({name: blocks("operations.md", name)[number] for name in PROXIES} for number in range(2))


@contextmanager
def behind(
    name: str, lines: str, start_api: StartApi, folder: Path, settings: dict[str, str]
) -> Iterator[httpx.Client]:
    """A client of alice, through the proxy with these lines."""
    with (
        an_issuer() as issuer,
        start_api(issuer.settings | settings) as service,
        proxy(f"{name}-default", service.port, folder, lines) as port,
        httpx.Client(base_url=f"http://{HOST}:{port}", timeout=TIMEOUT, trust_env=False, verify=False) as client,
    ):
        client.headers["Authorization"] = f"Bearer {issuer.token('alice')}"
        yield client


@pytest.mark.parametrize("name", PROXIES)
def test_the_prefix_is_removed(name: str, start_api: StartApi, tmp_path: Path) -> None:
    with behind(name, PREFIX[name], start_api, tmp_path, {"EVO_TODO_ROOT_PATH": "/todo"}) as client:
        created = client.post("/todo/api/alice/tasks", json={"title": "Buy milk"})
        assert client.get(created.headers["Location"]).json() == created.json()


@pytest.mark.parametrize("name", PROXIES)
def test_long_responses_are_compressed(name: str, start_api: StartApi, tmp_path: Path) -> None:
    passing = PASS if name == "nginx" else ""
    with behind(name, COMPRESSION[name] + passing, start_api, tmp_path, {}) as client:
        client.post("/api/alice/tasks", json={"title": "Buy milk", "description": "x" * 2000})
        page = client.get("/api/alice/tasks")
        assert page.headers["Content-Encoding"] == "gzip"
        assert page.json()["count"] == 1


def test_only_the_api_is_passed_on_and_clients_are_told_apart(start_api: StartApi, tmp_path: Path) -> None:
    [lines], [export] = blocks("how-to/proxy.md", "nginx"), shell_blocks("how-to/proxy.md")
    trusted = dict([export.removeprefix("export ").strip().split("=")])
    limited = trusted | {"EVO_TODO_ADDRESS_RATE_LIMIT": "2/minute"}
    with behind("nginx", lines, start_api, tmp_path, limited) as client:
        assert client.post("/api/alice/tasks", json={"title": "Buy milk"}).status_code == 201
        assert [client.get(path).status_code for path in ("/metrics", "/readyz")] == [404, 404]
        del client.headers["Authorization"]

        def statuses(address: str) -> list[int]:
            # As if by another proxy in front, which is trusted too.
            own = {"X-Forwarded-For": address}
            return [client.get("/api/alice/tasks", headers=own).status_code for _ in range(3)]

        assert statuses("198.51.100.1") == [401, 401, 429]
        assert statuses("198.51.100.2") == [401, 401, 429]
