"""Clients of one list: readers that keep a copy by event streams, and writers that remember what was acknowledged.

Neither gives up while workers and database connections are killed under them.
"""

import asyncio
import random
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import httpx
from attrs import define, field

from tests.support.live import EVENTS, EventStream

LIST: Final = EVENTS.removesuffix("/events")
PAGE: Final = 1000


@define
class Reader:
    """Keeps a copy of the list by streams, each of which goes on where the one before ended."""

    http: httpx.AsyncClient
    copy: dict[str, Any] = field(factory=dict)
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
                    self.copy[event.data["id"]] = event.data
                else:
                    self.copy.pop(event.data["id"], None)

    def _note(self, revision: int) -> None:
        self.events += 1
        self.doubled += revision in self._seen
        self.disordered += revision <= self.revision
        self._seen.add(revision)
        self.revision = revision


@define
class Writer:
    """Creates, changes and deletes tasks; what it gets no response to may or may not have been done."""

    http: httpx.AsyncClient
    done: int = 0
    """Acknowledged writes."""
    kept: dict[str, int] = field(factory=dict)
    """Tasks whose deletion was never asked for, and the last acknowledged revision of each."""
    deleted: set[str] = field(factory=set)
    """Tasks whose deletion was acknowledged."""

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            with suppress(httpx.TransportError):
                self.done += await self._write()
            await asyncio.sleep(0)

    async def _write(self) -> bool:
        chosen = random.choice([*self.kept]) if self.kept and random.random() < 0.6 else None
        if chosen is None:
            answer = await self.http.post(LIST, json={"title": "Buy milk"})
        elif random.random() < 0.5:
            answer = await self.http.patch(f"{LIST}/{chosen}/complete")
        else:
            del self.kept[chosen]
            answer = await self.http.delete(f"{LIST}/{chosen}")
            if answer.is_success:
                self.deleted.add(chosen)
            return answer.is_success
        if answer.is_success:
            task = answer.json()
            self.kept[task["id"]] = task["revision"]
        return answer.is_success


def lost(writers: Iterable[Writer], truth: dict[str, Any]) -> int:
    """How many acknowledged writes are not in the list."""
    count = 0
    for writer in writers:
        count += sum(one not in truth or truth[one]["revision"] < least for one, least in writer.kept.items())
        count += sum(one in truth for one in writer.deleted)
    return count


async def all_tasks(http: httpx.AsyncClient) -> dict[str, Any]:
    """The list, by pages."""
    found: dict[str, Any] = {}
    cursor: dict[str, str] = {}
    while True:
        page = (await http.get(LIST, params={"limit": PAGE, **cursor})).raise_for_status().json()
        found |= {task["id"]: task for task in page["data"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}
