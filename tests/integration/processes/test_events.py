"""Event streams of several workers, which learn of each other's changes, and of one that is stopped or killed."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.processes.test_revocations import push
from tests.support.list_clients import LIST, Follower, Reader, Writer, all_tasks, client_of, lost
from tests.support.live import EVENTS, HANG, Event, EventStream
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.service import Service, eventually, running

WORKERS = 2
STREAMS = 15
"""More than one worker lets a user have, so that each has some of them."""
KILLS = 3
READERS = 4
LATER = 10.0
"""Seconds: more than anything takes that is guaranteed to take two."""


@pytest.fixture(params=["postgresql", "sqlite"])
def service(request: pytest.FixtureRequest, issuer: LoopbackIssuer, tmp_path: Path) -> Iterator[Service]:
    database = "sqlite:///tasks.db"
    if request.param == "postgresql":
        database = str(request.getfixturevalue("postgres_url"))
    settings = {"DATABASE_URL": database, "EVO_TODO_WORKERS": str(WORKERS), "EVO_TODO_LOG_FORMAT": "json"}
    with running("serve", "--migrate", folder=tmp_path, settings=settings | issuer.settings) as it:
        eventually(lambda: it.log.count("Application startup complete") == WORKERS)
        yield it


@asynccontextmanager
async def client(service: Service, token: str) -> AsyncIterator[httpx.AsyncClient]:
    # Each request on a connection of its own: any worker may get it.
    headers, limits = {"Authorization": f"Bearer {token}"}, httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=service.url, headers=headers, limits=limits, timeout=HANG, trust_env=False, verify=False
    ) as http:
        yield http


@asynccontextmanager
async def streams(http: httpx.AsyncClient) -> AsyncIterator[list[EventStream]]:
    """Streams of all workers, each of which has begun."""
    async with AsyncExitStack() as stack:
        opened: list[EventStream] = []
        while len(opened) < STREAMS:
            response = await stack.enter_async_context(http.stream("GET", EVENTS))
            if response.status_code == 200:
                opened.append(EventStream(response))
                await opened[-1].next("ready")
            else:
                assert response.status_code == 429  # this worker has enough
                await response.aclose()
        yield opened


async def test_a_change_reaches_the_streams_of_every_worker(service: Service, issuer: LoopbackIssuer) -> None:
    async with client(service, issuer.token("alice")) as http, streams(http) as opened:
        for number in range(10):
            task = (await http.post(LIST, json={"title": f"{number}"})).json()
            began = time.monotonic()
            events = await asyncio.gather(*(stream.next("task.changed") for stream in opened))
            assert [event.data for event in events] == [task] * STREAMS
            assert time.monotonic() - began < LATER  # by a notice: without any it takes fifteen


async def test_a_revoked_token_ends_the_streams_of_every_worker_soon(service: Service, issuer: LoopbackIssuer) -> None:
    token = issuer.token("alice", session="s-1")
    async with client(service, token) as http, streams(http) as opened:
        assert push(service, issuer.security_event("alice", session="s-1")).status_code == 202
        began = time.monotonic()
        for stream in opened:
            assert await stream.rest() == [Event("end", {"reason": "token-revoked"}, None)]
        assert time.monotonic() - began < LATER


async def test_sigterm_ends_every_stream_and_the_service_in_time(service: Service, issuer: LoopbackIssuer) -> None:
    async with client(service, issuer.token("alice")) as http, streams(http) as opened:
        service.send_signal(signal.SIGTERM)
        for stream in opened:
            assert await stream.rest() == [Event("end", {"reason": "stopping"}, None)]
        assert await asyncio.to_thread(service.wait) in {0, -signal.SIGTERM}
    assert not [line for line in service.log_lines if line["level"] == "error"]


def kill_the_oldest_worker(service: Service) -> None:
    """After as many kills as there are workers, none of the first ones is left, nor any stream of theirs."""
    workers = [one for one in psutil.Process(service.process.pid).children() if "spawn_main" in str(one.cmdline())]
    os.kill(min(workers, key=psutil.Process.create_time).pid, signal.SIGKILL)


async def test_readers_lose_and_double_nothing_while_workers_are_killed(
    service: Service, issuer: LoopbackIssuer
) -> None:
    token = issuer.token("alice")
    async with client(service, token) as http:
        python = client_of(http, token)
        readers, writers = [Reader(http) for _ in range(READERS)], [Writer(python) for _ in range(2)]
        copies: list[Reader | Follower] = [*readers, Follower(python)]
        reading = [asyncio.create_task(one.run()) for one in copies]
        async with asyncio.timeout(HANG):
            while not all(reader.streams for reader in readers):  # noqa: ASYNC110  (another task's work)
                await asyncio.sleep(0.05)
        writing = [asyncio.create_task(writer.run()) for writer in writers]
        for number in range(1, KILLS + 1):
            goal = sum(writer.done for writer in writers) + 30
            async with asyncio.timeout(HANG):
                while sum(writer.done for writer in writers) < goal:  # noqa: ASYNC110  (another task's work)
                    await asyncio.sleep(0.01)
            kill_the_oldest_worker(service)
            await asyncio.to_thread(
                eventually, lambda number=number: service.log.count("Application startup complete") == WORKERS + number
            )
        for writer in writing:
            writer.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        truth = await all_tasks(python)
        async with asyncio.timeout(HANG):
            while any(one.copy != truth for one in copies):
                assert not any(reader.done() for reader in reading), [one.result() for one in reading if one.done()]
                await asyncio.sleep(0.05)
                truth = await all_tasks(python)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert sum(reader.streams for reader in readers) > READERS
        assert not any(reader.doubled or reader.disordered for reader in readers)
        assert not lost(writers, truth)
