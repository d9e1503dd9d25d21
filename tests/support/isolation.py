"""Many users' statements on shared connections, while askers leave and server processes die.

Counts what must never happen: an answer to the wrong asker, a row of another user, an acknowledged task that is lost.
"""

import asyncio
import random
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import asyncpg
from attrs import define, evolve, field
from sqlalchemy import Dialect, Executable

from adapters.sql.compiled_statements import CompiledStatement, compile_statement
from adapters.sql.database import Database
from adapters.sql.task_lists import SqlTaskLists
from adapters.system.clock_and_ids import UuidV7Generator
from domain.changes import Changes, ChangesQuery, SyncToken
from domain.errors import StorageUnavailable, TaskNotFound
from domain.identity import Principal, UserId
from domain.task import Revision, Revisions, Task, TaskId
from domain.task_list import NotModified, TaskPage, TaskQuery

FAULTS: Final = ("answers to the wrong asker", "rows of another", "lost", "never asked for", "revisions twice")
"""What must never be counted."""
OWNERS: Final = 12
ASKERS: Final = 40
"""Who ask at the same time."""
CANCELLED: Final = 0.2
"""Of all operations, how many are left by who asked."""
KILL_EVERY: Final = 150
"""Operations between two kills of a server process."""

_FILTER: Final = re.compile(r"\b(tasks|task_lists)\.owner_id = (me\.id|raised\.owner_id|\$\d+::VARCHAR)")


def remove_owner_filter(database: Database) -> list[str]:
    """Remove the owner filter from every statement before it is sent: row-level security remains.

    Returns the statements that had one, as they come.
    """
    changed: list[str] = []

    def compile_without_filter(statement: Executable, dialect: Dialect) -> CompiledStatement:
        compiled = compile_statement(statement, dialect)
        sql, count = _FILTER.subn(r"\2 IS NOT NULL", compiled.sql)
        changed.extend([compiled.sql] * bool(count))
        return evolve(compiled, sql=sql)

    assert database.asyncpg_executor is not None
    database.asyncpg_executor.compile = compile_without_filter
    return changed


@define
class Isolation:
    """The operations and what came of them."""

    database: Database
    administrator: "asyncpg.Connection"
    chance: random.Random
    stored: dict[TaskId, Task] = field(factory=dict)
    """Acknowledged tasks."""
    asked: set[TaskId] = field(factory=set)
    """The ids of all tasks that were to be stored."""
    counts: Counter[str] = field(factory=Counter)
    ids: UuidV7Generator = field(factory=UuidV7Generator)
    killing: asyncio.Lock = field(factory=asyncio.Lock)

    async def run(self, operations: int) -> Counter[str]:
        """Run so many operations and count what came of them."""
        await asyncio.gather(*(self._ask(operations // ASKERS) for _ in range(ASKERS)))
        await self._look_for_lost_tasks()
        return self.counts

    async def _ask(self, operations: int) -> None:
        for _ in range(operations):
            task = asyncio.create_task(self._operation())
            if self.chance.random() < CANCELLED:
                for _ in range(self.chance.randrange(6)):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                self.counts["cancelled"] += 1
            except StorageUnavailable:
                self.counts["unavailable"] += 1
            self.counts["operations"] += 1
            if self.counts["operations"] % KILL_EVERY == 0:
                await self._kill()

    async def _operation(self) -> None:
        owner = UserId(f"owner-{self.chance.randrange(OWNERS)}")
        match self.chance.randrange(4):
            case 0:
                await self._create(owner)
            case 1:
                await self._list(owner)
            case _:
                await self._get(owner)

    async def _create(self, owner: UserId) -> None:
        at = datetime.now(UTC)
        title = f"{owner} {self.chance.random()}"
        task = Task.new(id=self.ids.next(at), owner=owner, title=title, description="x" * 200, at=at)
        self.asked.add(task.id)
        stored = await SqlTaskLists(self.database).add(owner, Principal(owner, issued_at=at.timestamp()), task)
        self.stored[task.id] = stored
        self._judge(stored.id == task.id and stored.title == title)

    async def _list(self, owner: UserId) -> None:
        tasks = SqlTaskLists(self.database).open(owner)
        match self.chance.randrange(3):
            case 0:
                found: Changes | TaskPage | NotModified = await tasks.changes(ChangesQuery(SyncToken(Revision(0)), 20))
            case 1:
                found = await tasks.page(TaskQuery(limit=20))
            case _:
                found = await tasks.page(TaskQuery(limit=20), known=Revisions(frozenset()))
        assert not isinstance(found, NotModified)
        for task in found.tasks:
            self._judge_owner(owner, task)

    async def _get(self, owner: UserId) -> None:
        if not self.stored:
            return
        wanted = self.chance.choice([*self.stored.values()])
        try:
            found = await SqlTaskLists(self.database).open(owner).get(wanted.id)
        except TaskNotFound:
            self._judge(wanted.owner != owner)
            return
        self._judge(found == wanted)
        self._judge_owner(owner, found)

    def _judge(self, is_mine: bool) -> None:
        self.counts["answers"] += 1
        self.counts["answers to the wrong asker"] += not is_mine

    def _judge_owner(self, owner: UserId, task: Task) -> None:
        self.counts["rows"] += 1
        self.counts["rows of another"] += not task.title.startswith(f"{owner} ")

    async def _kill(self) -> None:
        kill = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'evo-todo' ORDER BY random() LIMIT 1"
        )
        async with self.killing:
            self.counts["killed"] += len(await self.administrator.fetch(kill))
        if self.database.pipelined_executor is not None:
            await self.database.pipelined_executor.opened()

    async def _look_for_lost_tasks(self) -> None:
        rows = await self.administrator.fetch("SELECT id, owner_id, title, revision FROM tasks")
        found = {row["id"]: (row["owner_id"], row["title"], row["revision"]) for row in rows}
        for task in self.stored.values():
            self.counts["lost"] += found.get(task.id) != (task.owner, task.title, task.revision)
        self.counts["never asked for"] = len(found.keys() - self.asked)
        self.counts["revisions twice"] = len(rows) - len({(row["owner_id"], row["revision"]) for row in rows})
