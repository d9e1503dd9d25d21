"""What the issuer says has ended has ended on every worker, and stays so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import OWNER, PostgresServer, as_role
from tests.support.service import Service, eventually, running

WORKERS = 3
PROMISED = 2.0
"""Seconds within which every worker knows."""
CLIENTS = 24
"""So many connections, each opened anew, that every worker gets some of them."""


def push(service: Service, event: str) -> httpx.Response:
    with service.client() as client:
        return client.post("/api/security-events", content=event, headers={"Content-Type": "application/secevent+jwt"})


def statuses(service: Service, token: str) -> set[int]:
    with ThreadPoolExecutor(CLIENTS) as clients:
        return set(clients.map(lambda _: service.get("/api/alice/tasks", token).status_code, range(CLIENTS)))


def serving(database: str, issuer: LoopbackIssuer, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database,
        "EVO_TODO_WORKERS": str(WORKERS),
        "EVO_TODO_RATE_LIMIT": "off",
        "EVO_TODO_LOG_FORMAT": "json",
    } | (issuer.settings | more)


@pytest.fixture(params=["postgresql", "sqlite"])
def settings(request: pytest.FixtureRequest, issuer: LoopbackIssuer) -> dict[str, str]:
    if request.param == "sqlite":
        return serving("sqlite:///tasks.db", issuer)
    return serving(str(request.getfixturevalue("postgres_url")), issuer)


def test_a_revoked_token_is_dead_on_every_worker_soon_and_after_a_restart(
    settings: dict[str, str], issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    ended, other = issuer.token("alice", session="s-1"), issuer.token("alice", session="s-2")
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        eventually(lambda: service.log.count("Application startup complete") == WORKERS)
        assert statuses(service, ended) == {200}
        assert push(service, issuer.security_event("alice", session="s-1")).status_code == 202
        eventually(lambda: statuses(service, ended) == {401}, within=PROMISED + CLIENTS / 10)
        assert statuses(service, other) == {200}

    with running("serve", folder=tmp_path, settings=settings) as service:
        assert service.get("/api/alice/tasks", ended).status_code == 401, "the first request that is served"
        eventually(lambda: service.log.count("Application startup complete") == WORKERS)
        assert statuses(service, ended) == {401}
        assert statuses(service, other) == {200}


@pytest.fixture
def on_own_postgres(own_postgres: PostgresServer, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    settings = serving(
        as_role(own_postgres.url, OWNER), issuer, EVO_TODO_WORKERS="1", EVO_TODO_REVOCATION_MAX_STALE="1.5"
    )
    with running("serve", "--migrate", folder=tmp_path, settings=settings) as service:
        yield service


def test_with_the_database_away_for_too_long_no_token_is_trusted_and_all_is_well_once_it_is_back(
    on_own_postgres: Service, own_postgres: PostgresServer, issuer: LoopbackIssuer
) -> None:
    service, token = on_own_postgres, issuer.token("alice")
    assert service.get("/api/bob/tasks", token).status_code == 403
    own_postgres.stop()

    eventually(lambda: service.get("/api/bob/tasks", token).status_code == 503)
    answer = service.get("/api/bob/tasks", token)
    assert answer.json()["type"] == "urn:problem-type:evo-todo:revocations-unavailable"
    assert answer.headers["Retry-After"]
    assert service.get("/api/alice/tasks", "not.a.token").status_code == 401
    assert service.get("/livez").status_code == 200
    assert "revocations" in service.get("/readyz").json()["detail"]
    eventually(lambda: "revocations can't be read: no token is accepted" in service.log)

    own_postgres.start()
    eventually(lambda: service.get("/api/alice/tasks", token).status_code == 200)
    eventually(lambda: "revocations can be read again" in service.log)
    assert push(service, issuer.security_event("alice", session=None)).status_code == 202
    assert service.get("/api/alice/tasks", token).status_code == 401


async def test_a_listener_that_is_cut_is_replaced_and_nothing_is_missed_meanwhile(
    postgres_url: str, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    with running("serve", "--migrate", folder=tmp_path, settings=serving(postgres_url, issuer)) as service:
        eventually(lambda: service.log.count("Application startup complete") == WORKERS)
        database = await asyncpg.connect(postgres_url)
        cut = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        assert await database.fetchval(cut) > 0
        assert push(service, issuer.security_event("alice", session="s-1")).status_code == 202
        token = issuer.token("alice", session="s-1")
        eventually(lambda: statuses(service, token) == {401}, within=PROMISED + CLIENTS / 10)
        eventually(lambda: "the listener is lost" in service.log)
        await database.close()
