"""Change notices within a process and between processes, here between feeds on connections of their own."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from adapters.sql.database import connect
from adapters.sql.notifications import (
    CHANNEL,
    DIGEST_LENGTH,
    MAX_OWNERS,
    Listener,
    PostgresChangeFeed,
    SqliteChangeFeed,
    digest,
)
from adapters.sql.task_lists import SqlTaskLists
from application.background import Backoff
from application.change_feed import ChangeFeed, Notice
from domain.identity import UserId
from tests.contracts.change_feeds import ALICE, BOB, ChangeFeedsContract
from tests.contracts.task_lists import add, new

SOON = 10.0
"""Seconds: far more than any notice takes."""


class Connected:
    """Connections to the test's database, to be found and cut."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened: list[Any] = []

    async def __call__(self) -> Any:
        connection = await asyncpg.connect(self.url)
        self.opened.append(connection)
        return connection


@asynccontextmanager
async def running(*tasks: Any) -> AsyncIterator[None]:
    running = [asyncio.create_task(task.run()) for task in tasks]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def worker(connect: Callable[[], Any]) -> AsyncIterator[PostgresChangeFeed]:
    """A worker's feed, once its listener listens."""
    listener = Listener(connect, backoff=Backoff(0.01, 0.01))
    feed = PostgresChangeFeed(listener)
    with feed.subscribe(UserId("anybody")) as event:
        async with running(listener, feed):
            await asyncio.wait_for(event.wait(), SOON)  # set when the listener is there
            yield feed


async def woken(event: Notice) -> None:
    await asyncio.wait_for(event.wait(), SOON)


class TestPostgresChangeFeed(ChangeFeedsContract):
    @pytest.fixture
    def feed(self, postgres_url: str) -> ChangeFeed:
        return PostgresChangeFeed(Listener(Connected(postgres_url)))

    async def test_a_notice_reaches_another_worker(self, postgres_url: str) -> None:
        async with worker(Connected(postgres_url)) as one, worker(Connected(postgres_url)) as two:
            with two.subscribe(ALICE) as alices, two.subscribe(BOB) as bobs:
                one.notify(ALICE)
                await woken(alices)
                assert not bobs.is_set()

    async def test_more_lists_than_one_notification_holds_are_all_named(self, postgres_url: str) -> None:
        owners = [UserId(f"user-{number}") for number in range(2 * MAX_OWNERS + 1)]
        async with worker(Connected(postgres_url)) as one, worker(Connected(postgres_url)) as two:
            with ExitStack() as stack:
                events = [stack.enter_context(two.subscribe(owner)) for owner in owners]
                for owner in owners:
                    one.notify(owner)
                for event in events:
                    await woken(event)

    async def test_a_lost_listener_comes_back_and_wakes_everybody_for_what_was_missed(self, postgres_url: str) -> None:
        connect = Connected(postgres_url)
        async with worker(connect) as feed:
            with feed.subscribe(ALICE) as event:
                connect.opened[-1].terminate()
                await woken(event)
            assert len(connect.opened) == 2

    async def test_without_a_listener_notices_hold_within_the_process(self) -> None:
        async def refused() -> Any:
            raise ConnectionRefusedError

        feed = PostgresChangeFeed(Listener(refused, backoff=Backoff(60, 60)))
        async with running(feed):
            with feed.subscribe(ALICE) as event:
                feed.notify(ALICE)
                await woken(event)

    async def test_a_notification_names_nobody(self, postgres_url: str) -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()
        connection = await asyncpg.connect(postgres_url)
        await connection.add_listener(CHANNEL, lambda *args: heard.put_nowait(args[-1]))
        async with worker(Connected(postgres_url)) as feed:
            feed.notify(UserId("alice@example.org"))
            payload = await asyncio.wait_for(heard.get(), SOON)
        await connection.close()
        assert payload == digest(UserId("alice@example.org"))
        assert len(payload) == DIGEST_LENGTH

    async def test_a_payload_that_is_not_ours_breaks_nothing(self, postgres_url: str) -> None:
        connection = await asyncpg.connect(postgres_url)
        async with worker(Connected(postgres_url)) as feed:
            with feed.subscribe(ALICE) as event:
                for payload in ("x", "ü" * 100, digest(ALICE)):
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
                await woken(event)
        await connection.close()


class TestSqliteChangeFeed(ChangeFeedsContract):
    @pytest.fixture
    def feed(self, tmp_path: Path) -> ChangeFeed:
        return SqliteChangeFeed(tmp_path / "tasks.db")

    async def test_a_commit_of_another_process_wakes_who_watches_the_list_that_it_changed(
        self, tmp_path: Path, sqlite_template: Path
    ) -> None:
        file = tmp_path / "tasks.db"
        shutil.copy(sqlite_template, file)
        feed = SqliteChangeFeed(file, poll_interval=0.01)
        database = connect(f"sqlite:///{file}")
        lists = SqlTaskLists(database)
        await add(lists, new("first"))
        await add(lists, new("his", owner=BOB))
        async with running(feed):
            with feed.subscribe(ALICE) as alices, feed.subscribe(BOB) as bobs:
                await woken(alices)  # by the file as it is at first
                await woken(bobs)
                alices.clear()
                bobs.clear()
                await add(lists, new("second"))
                await woken(alices)
                assert not bobs.is_set()
        await database.dispose()

    async def test_a_file_without_tables_is_watched_until_it_has_some(
        self, tmp_path: Path, sqlite_template: Path
    ) -> None:
        file = tmp_path / "tasks.db"
        feed = SqliteChangeFeed(file, poll_interval=0.01)
        async with running(feed):
            with feed.subscribe(ALICE) as alices:
                while not file.exists():  # noqa: ASYNC110  (the feed's work, which sends no signal)
                    await asyncio.sleep(0.01)
                with closing(sqlite3.connect(sqlite_template)) as made, closing(sqlite3.connect(file)) as opened:
                    made.backup(opened)
                database = connect(f"sqlite:///{file}")
                await add(SqlTaskLists(database), new())
                await woken(alices)
                await database.dispose()
