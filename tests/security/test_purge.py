"""V5: once the purge of an account is acknowledged, nothing of it is left, whatever the slowest worker knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from dishka import Provider, Scope, provide

from adapters.memory.access import MemoryRevocations
from adapters.sql.database import Database, connect
from application.background import BackgroundWork
from application.ports import Clock, Revocations
from domain.revocation import TokenLifetimes
from tests.support.api import Api, running_for
from tests.support.tokens import ACCOUNT_PURGED, Issuer

LIST = "/api/alice/tasks"
SET = {"Content-Type": "application/secevent+jwt"}


class Worker(Provider):
    """A worker on this database, without background tasks."""

    scope = Scope.APP

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.opened = database

    @provide
    def database(self) -> Database:
        return self.opened

    @provide
    def background(self) -> BackgroundWork:
        return BackgroundWork(())

    @provide
    def revocations(self, clock: Clock) -> Revocations:
        """Its own, which it shares with nobody: the worker never learns what others were informed."""
        return MemoryRevocations(clock, TokenLifetimes())


@asynccontextmanager
async def workers(url: str) -> AsyncIterator[tuple[Api, Api]]:
    """Two services of one issuer on one database."""
    issuer = Issuer.new()
    informed, deaf = connect(url), connect(url)
    try:
        async with (
            running_for(issuer, Worker(informed), EVO_TODO_RATE_LIMIT="off") as one,
            running_for(issuer, Worker(deaf), EVO_TODO_RATE_LIMIT="off") as other,
        ):
            yield one, other
    finally:
        await informed.dispose()
        await deaf.dispose()


async def purge(api: Api) -> httpx.Response:
    return await api.http.post("/api/security-events", content=api.issuer.security_event(ACCOUNT_PURGED), headers=SET)


async def test_v05_after_a_purge_no_task_is_left_although_a_worker_has_not_heard_of_it(migrated_url: str) -> None:
    async with workers(migrated_url) as (informed, deaf):
        live, gone = [f"{LIST}/{(await informed.task())['id']}" for _ in range(2)]
        assert (await informed("DELETE", gone)).status_code == 204
        stolen = {"Authorization": f"Bearer {informed.issuer.token('alice')}"}
        is_over = asyncio.Event()

        async def go_on_writing() -> list[httpx.Response]:
            answers = []
            while not is_over.is_set():
                answers.append(await deaf.http.post(LIST, json={"title": "Mine"}, headers=stolen))
            return answers

        writers = [asyncio.create_task(go_on_writing()) for _ in range(4)]
        assert (await purge(informed)).status_code == 202
        for method, path, body in (
            ("POST", LIST, {"title": "Mine"}),
            ("PUT", live, {"title": "Mine"}),
            ("PATCH", live, {}),
            ("PATCH", f"{live}/complete", {}),
            ("DELETE", live, None),
            ("POST", f"{gone}/restore", {}),
        ):
            answer = await deaf.http.request(method, path, json=body, headers=stolen)
            assert answer.status_code == 401, (method, path)
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        is_over.set()
        statuses = [answer.status_code for writer in writers for answer in await writer]
        assert set(statuses) <= {201, 401}
        later = {"Authorization": f"Bearer {informed.issuer.token('alice', iat=int(informed.issuer.now()) + 1)}"}
        assert (await deaf.http.get(LIST, headers=stolen)).json()["data"] == []
        assert (await deaf.http.get(LIST, headers=later)).json()["data"] == []
        assert (await deaf.http.post(LIST, json={"title": "New"}, headers=later)).status_code == 201


async def test_a_purge_of_an_account_without_a_list_counts_too(migrated_url: str) -> None:
    async with workers(migrated_url) as (informed, deaf):
        stolen = {"Authorization": f"Bearer {informed.issuer.token('alice')}"}
        assert (await purge(informed)).status_code == 202
        assert (await deaf("POST", LIST, json={"title": "Mine"}, headers=stolen)).status_code == 401
        assert (await deaf("POST", "/api/bob/tasks", user="bob", json={"title": "His"})).status_code == 201
