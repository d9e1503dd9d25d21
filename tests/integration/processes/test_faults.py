import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
import httpx
import pytest

from adapters.sql.database import READERS, UPKEEP, WRITERS
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import OWNER, PostgresServer, as_role
from tests.support.service import Service, eventually, running

TASKS = "/api/alice/tasks"
CLIENT_TIMEOUT = 3.5
"""Seconds after which a client gives up on a database that doesn't answer."""


def assert_try_later(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def assert_serves(service: Service, token: str) -> None:
    """Calls side by side, so many that each of its connections to the database is opened and has its turn."""
    with service.client(token) as client, ThreadPoolExecutor(2 * READERS) as clients:
        writes = clients.map(lambda _: client.post(TASKS, json={"title": "Buy milk"}), range(2 * WRITERS))
        reads = clients.map(lambda _: client.get(TASKS), range(4 * READERS))
        assert {answer.status_code for answer in writes} == {201}
        assert {answer.status_code for answer in reads} == {200}


def is_back(service: Service, token: str) -> bool:
    with service.client(token) as client:
        return client.post(TASKS, json={"title": "Buy milk"}).status_code == 201


@pytest.fixture
def on_own_postgres(own_postgres: PostgresServer, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": as_role(own_postgres.url, OWNER)} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        yield service


@pytest.fixture
def on_postgres(postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": postgres_url} | issuer.settings
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        yield service


def test_without_its_database_it_still_decides_who_may_and_asks_the_others_to_try_later(
    on_own_postgres: Service, own_postgres: PostgresServer, issuer: LoopbackIssuer
) -> None:
    service, token = on_own_postgres, issuer.token("alice")
    assert_serves(service, token)

    own_postgres.stop()

    with service.client(token, timeout=CLIENT_TIMEOUT) as client:
        for _ in range(3):
            assert_try_later(client.get(TASKS))
            assert_try_later(client.post(TASKS, json={"title": "Buy milk"}))
        assert client.get("/api/bob/tasks").status_code == 403
        assert client.post(TASKS, content=b"{").status_code in {400, 415}
        assert client.get("/livez").status_code == 200
        not_ready = client.get("/readyz")
    assert_try_later(not_ready)
    assert "database" in not_ready.json()["detail"]
    assert "keys" not in not_ready.json()["detail"]
    assert service.get(TASKS, "not.a.token").status_code == 401
    assert service.get(TASKS).status_code == 401

    own_postgres.start()

    eventually(lambda: is_back(service, token))
    assert service.get("/readyz").status_code == 200
    assert_serves(service, token)


async def test_a_database_that_stands_still_costs_a_client_its_patience_never_its_answer(
    on_own_postgres: Service, own_postgres: PostgresServer, issuer: LoopbackIssuer
) -> None:
    service, token = on_own_postgres, issuer.token("alice")
    assert_serves(service, token)

    own_postgres.pause()
    try:
        async with a_client(service, token) as client:
            for _ in range(2):
                reads = [client.get(path) for path in (TASKS,) * READERS + ("/readyz",)]
                writes = [client.post(TASKS, json={"title": "Buy milk"}) for _ in range(WRITERS)]
                others = [client.get("/livez"), client.get("/api/bob/tasks")]
                *waiting, alive, forbidden = await asyncio.gather(*reads, *writes, *others)
                assert (alive.status_code, forbidden.status_code) == (200, 403)
                for answer in waiting:
                    assert_try_later(answer)
    finally:
        own_postgres.resume()

    eventually(lambda: is_back(service, token))
    assert_serves(service, token)
    async with a_connection(own_postgres.url) as database:
        assert (
            await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evo-todo'")
            <= READERS + WRITERS + 2 * UPKEEP + 1  # which listens
        )


async def test_a_list_that_stays_locked_makes_nobody_wait_for_ever_and_nothing_fail(
    on_postgres: Service, postgres_url: str, issuer: LoopbackIssuer
) -> None:
    service, alice, bob = on_postgres, issuer.token("alice"), issuer.token("bob")
    assert_serves(service, alice)

    async with a_connection(postgres_url) as locker, a_client(service, alice) as client, locker.transaction():
        await locker.execute("SELECT set_user('alice')")
        await locker.execute("SELECT * FROM task_lists WHERE owner_id = 'alice' FOR UPDATE")
        writes = [asyncio.create_task(client.post(TASKS, json={"title": "Buy milk"})) for _ in range(12)]
        await every_connection_waits_for_a_lock(postgres_url)
        others = await client.get("/api/bob/tasks", headers={"Authorization": f"Bearer {bob}"})
        assert others.status_code == 200, "who reads does not wait for who writes"
        assert (await client.get("/api/bob/tasks")).status_code == 403
        for answer in await asyncio.gather(*writes):
            assert_try_later(answer)
    assert_serves(service, alice)
    assert service.get("/api/bob/tasks", bob).status_code == 200


def test_a_sqlite_file_that_stays_locked_can_be_read_and_written_later(
    service: Service, issuer: LoopbackIssuer
) -> None:
    token = issuer.token("alice")
    with closing(sqlite3.connect(service.folder / "tasks.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with service.client(token, timeout=CLIENT_TIMEOUT) as client:
            assert_try_later(client.post(TASKS, json={"title": "Buy milk"}))
            assert client.get(TASKS).status_code == 200
        other.execute("ROLLBACK")

    assert_serves(service, token)


@asynccontextmanager
async def a_connection(url: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def a_client(service: Service, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=service.url, headers=headers, timeout=CLIENT_TIMEOUT, trust_env=False
    ) as client:
        yield client


async def every_connection_waits_for_a_lock(url: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with a_connection(url) as observer, asyncio.timeout(CLIENT_TIMEOUT):
        while await observer.fetchval(waiting) < WRITERS:  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)
