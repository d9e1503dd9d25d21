"""Behind a proxy that serves the API under a prefix and removes it: every path that clients are given has it."""

from collections.abc import AsyncIterator
from urllib.parse import urljoin

import pytest

from tests.support.api import Api, InMemory, running

PREFIX = "/apps/todo"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(InMemory(), EVO_TODO_ROOT_PATH=f"{PREFIX}/") as api:
        yield api


async def through_the_proxy(api: Api, path: str) -> int:
    """The status that a client gets for a path that it was given."""
    assert path.startswith(f"{PREFIX}/"), path
    return (await api("GET", path.removeprefix(PREFIX))).status_code


async def test_the_location_of_a_new_task(api: Api) -> None:
    for headers in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
        created = await api("POST", "/api/alice/tasks", json={"title": "Buy milk"}, headers=headers)
        assert await through_the_proxy(api, created.headers["Location"]) == 200


async def test_the_link_to_the_next_page_also_of_a_stored_one(api: Api) -> None:
    for _ in range(2):
        await api.task()
    for _ in range(2):
        page = await api("GET", "/api/alice/tasks?limit=1")
        assert await through_the_proxy(api, page.links["next"]["url"]) == 200


@pytest.mark.parametrize("path", ["/api/alice/tasks/nothing", "/api/bob/tasks", "/nowhere", "/api/alice/tasks?limit=0"])
async def test_the_instance_of_a_problem(api: Api, path: str) -> None:
    problem = (await api("GET", path)).json()
    assert problem["instance"] == PREFIX + path.partition("?")[0]


async def test_the_documentation_and_its_servers(api: Api) -> None:
    start = await api.http.get("/")
    assert await through_the_proxy(api, start.headers["Location"]) == 200
    page = await api.http.get("/docs")
    [link] = [part.partition('"')[0] for part in page.text.split('href="')[1:] if "openapi" in part.partition('"')[0]]
    assert await through_the_proxy(api, urljoin(f"{PREFIX}/docs", link)) == 200
    assert f'<body class="without-script" data-base="{PREFIX}">' in page.text, "where the page's forms send requests"
    assert f"http://localhost:8000</span>{PREFIX}/api/alice/tasks'" in page.text
    document = (await api.http.get("/openapi.json")).json()
    assert document["servers"] == [{"url": PREFIX}]
