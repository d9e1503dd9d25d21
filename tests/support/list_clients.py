"""Clients of one list: some keep a copy, by streams or with the Python client; writers remember what was done.

None gives up while workers and database connections are killed under it.
"""

import asyncio
import random
from collections.abc import Iterable
from contextlib import aclosing, suppress
from typing import Final

import httpx
from attrs import define, field

from evo_todo_client import ApiProblem, AsyncClient, Changed, Deleted, Reset, Task, Unreachable, WatchTimes
from tests.support.live import EVENTS, EventStream

LIST: Final = EVENTS.removesuffix("/events")
USER: Final = "alice"
_QUICK: Final = WatchTimes(retry=0.05, restart=0.05, max_backoff=0.5, poll=0.1, polling=1.0)


def client_of(http: httpx.AsyncClient, token: str) -> AsyncClient:
    """The Python client of the service that `http` is for."""

    async def fetch_token() -> str:
        return token

    return AsyncClient(str(http.base_url.join("/api")), fetch_token, http=http)


@define
class Reader:
    """Keeps a copy of the list by streams, each of which goes on where the one before ended."""

    http: httpx.AsyncClient
    copy: dict[str, Task] = field(factory=dict)
    last_id: str | None = None
    revision: int = 0
    streams: int = 0
    events: int = 0
    doubled: int = 0
    """Events that came before."""
    disordered: int = 0
    """Events after one with a higher id, and streams that did not start where the one before ended."""
    _seen: set[int] = field(factory=set)

    async def run(self) -> None:
        """Follow the list until cancelled."""
        while True:
            with suppress(httpx.TransportError, StopAsyncIteration):
                await self._follow()
            await asyncio.sleep(0.05 * random.random())

    async def _follow(self) -> None:
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        async with self.http.stream("GET", EVENTS, headers=headers) as response:
            if response.status_code != 200:
                return
            stream = EventStream(response)
            ready = await stream.next("ready")
            self.last_id = self.last_id or ready.id  # the list is empty at first
            self.disordered += ready.id != self.last_id
            self.streams += 1
            while (event := await stream.next()).name != "end":
                assert event.name in {"task.changed", "task.deleted"}, event
                self._note(event.data["revision"])
                self.last_id = event.id
                if event.name == "task.changed":
                    self.copy[event.data["id"]] = Task.from_json(event.data)
                else:
                    self.copy.pop(event.data["id"], None)

    def _note(self, revision: int) -> None:
        self.events += 1
        self.doubled += revision in self._seen
        self.disordered += revision <= self.revision
        self._seen.add(revision)
        self.revision = revision


@define
class Follower:
    """Keeps a copy of the list as a user of the Python client does."""

    client: AsyncClient
    copy: dict[str, Task] = field(factory=dict)

    async def run(self) -> None:
        """Follow the list until cancelled."""
        async with aclosing(self.client.watch(USER, times=_QUICK)) as events:
            async for event in events:
                match event:
                    case Reset():
                        self.copy = await all_tasks(self.client)
                    case Changed(task):
                        known = self.copy.setdefault(task.id, task)
                        self.copy[task.id] = max(known, task, key=lambda one: one.revision)
                    case Deleted(task_id):
                        self.copy.pop(task_id, None)


@define
class Writer:
    """Creates, changes and deletes tasks; what it gets no response to may or may not have been done."""

    client: AsyncClient
    done: int = 0
    """Acknowledged writes."""
    kept: dict[str, int] = field(factory=dict)
    """Tasks whose deletion was never asked for, and the last acknowledged revision of each."""
    deleted: set[str] = field(factory=set)
    """Tasks whose deletion was acknowledged."""

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            with suppress(Unreachable, ApiProblem):
                await self._write()
                self.done += 1
            await asyncio.sleep(0)

    async def _write(self) -> None:
        chosen = random.choice([*self.kept]) if self.kept and random.random() < 0.6 else None
        if chosen is None:
            task = await self.client.create_task(USER, "Buy milk")
            self.kept[task.id] = task.revision
        elif random.random() < 0.5:
            self.kept[chosen] = (await self.client.set_completed(USER, chosen, random.random() < 0.5)).revision
        else:
            del self.kept[chosen]
            await self.client.delete_task(USER, chosen)
            self.deleted.add(chosen)


def lost(writers: Iterable[Writer], truth: dict[str, Task]) -> int:
    """How many acknowledged writes are not in the list."""
    count = 0
    for writer in writers:
        count += sum(one not in truth or truth[one].revision < least for one, least in writer.kept.items())
        count += sum(one in truth for one in writer.deleted)
    return count


async def all_tasks(client: AsyncClient) -> dict[str, Task]:
    """The list."""
    return {task.id: task for task in await client.list_tasks(USER)}
