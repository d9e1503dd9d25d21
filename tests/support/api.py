"""The whole application in one process, with an issuer of the test's own: everything but sockets is real."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from attrs import field, frozen
from dishka import Provider, Scope, provide
from litestar.types import ASGIApp

from adapters.memory.access import MemoryAuditLog, MemoryRevocations
from adapters.memory.task_lists import MemoryChangeFeed, MemoryTaskLists
from adapters.tokens.jwks import PublicKey, parse_key_set
from adapters.tokens.jwks_cache import JwksCache, JwksReadiness
from application.background import BackgroundWork
from application.change_feed import ChangeFeed
from application.health import CheckReadiness, Measurements
from application.ports import AuditLog, Clock, Revocations, TaskLists
from domain.revocation import TokenLifetimes
from entrypoints.asgi import create_app
from entrypoints.settings import Settings
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ORIGIN = "https://app.example.com"


def replacing(port: type, used: object) -> Provider:
    """This object, in place of what the application has for that port."""
    provider = Provider(scope=Scope.APP)
    provider.provide(lambda: used, provides=port)
    return provider


class KeysOf(Provider):
    """The issuer's keys, without a request for them."""

    scope = Scope.APP

    def __init__(self, issuer: Issuer) -> None:
        super().__init__()
        self.issuer = issuer

    @provide
    def keys(self) -> JwksCache:
        async def fetch() -> dict[str, PublicKey]:
            return parse_key_set(json.dumps(self.issuer.jwks()).encode())

        return JwksCache(fetch)


class InMemory(Provider):
    """The lists in memory instead of a database."""

    scope = Scope.APP

    @provide
    def feed(self) -> ChangeFeed:
        return MemoryChangeFeed()

    @provide
    def lists(self, settings: Settings, feed: ChangeFeed) -> TaskLists:
        return MemoryTaskLists(settings.max_tasks, feed.notify)

    @provide
    def revocations(self, clock: Clock) -> Revocations:
        return MemoryRevocations(clock, TokenLifetimes())

    @provide
    def audit(self) -> AuditLog:
        return MemoryAuditLog()

    @provide
    def background(self) -> BackgroundWork:
        return BackgroundWork(())

    @provide
    def measurements(self) -> Measurements:
        return Measurements(())

    @provide
    def readiness(self, keys: JwksCache) -> CheckReadiness:
        return CheckReadiness((JwksReadiness(keys),))


def settings(**env: str) -> Settings:
    return Settings.from_env(
        {"EVO_TODO_ISSUER": ISSUER, "EVO_TODO_AUDIENCE": AUDIENCE, "EVO_TODO_CORS_ORIGINS": ORIGIN} | env
    )


@frozen
class Api:
    """A client of the running application, and what it takes to speak for anybody."""

    http: httpx.AsyncClient
    issuer: Issuer = field(repr=False)

    async def __call__(self, method: str, path: str | httpx.URL, *, user: str = "alice", **more: Any) -> httpx.Response:
        """Ask as that user, with a good token."""
        headers = httpx.Headers(more.pop("headers", None))
        headers.setdefault("Authorization", f"Bearer {self.issuer.token(user)}")
        return await self.http.request(method, path, headers=headers, **more)

    async def task(self, title: str = "Buy milk", *, user: str = "alice", **members: Any) -> dict[str, Any]:
        """Create a task."""
        answer = await self("POST", f"/api/{user}/tasks", user=user, json={"title": title, **members})
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created


@asynccontextmanager
async def running(*overrides: Provider, **env: str) -> AsyncIterator[Api]:
    async with running_for(Issuer.new(), *overrides, **env) as api:
        yield api


@asynccontextmanager
async def running_for(issuer: Issuer, *overrides: Provider, **env: str) -> AsyncIterator[Api]:
    """The application, with the keys of this issuer."""
    app = create_app(settings(**env), KeysOf(issuer), *overrides)
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar and httpx type ASGI differently
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
        yield Api(http, issuer)


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Start the application and stop it, as a server does (ASGI's lifespan protocol)."""
    to_app: asyncio.Queue[Any] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    async def live() -> None:
        await app(scope, to_app.get, from_app.put)

    task = asyncio.create_task(live())
    await to_app.put({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    yield
    await to_app.put({"type": "lifespan.shutdown"})
    assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
    await task
