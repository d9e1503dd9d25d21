"""The EditableTaskList port in SQL: one owner's tasks inside the transaction of one change."""

from datetime import datetime
from typing import Any

from attrs import define, field

from adapters.sql import write_statements as statements
from adapters.sql.compiled_statements import Rows
from adapters.sql.executors import Transaction
from adapters.sql.statements import SHARDED, set_user
from adapters.sql.tables import row_to_task
from domain.errors import InvalidToken, TaskNotFound
from domain.identity import UserId
from domain.revocation import REVOKED
from domain.task import Revision, Task, TaskId


@define
class SqlEditableTaskList:
    """One owner's tasks inside the transaction of one change, which takes the list's lock when it is first used."""

    _transaction: Transaction
    _writes: str
    """`postgresql`, `sqlite`, or SHARDED."""
    _owner: UserId
    _issued_at: datetime
    """When the actor's token was issued."""
    _at: datetime
    """When the change is made, by the service's clock."""
    _is_locked: bool = field(default=False, init=False)
    _next: tuple[Revision, datetime] | None = field(default=None, init=False)
    """The list's next revision and the instant that goes with it, once taken and as long as nothing was stored."""
    has_changed: bool = field(default=False, init=False)

    async def get(self, task_id: TaskId) -> Task:
        """See the port."""
        task = await self.get_including_deleted(task_id)
        if task.deleted_at is not None:
            raise TaskNotFound
        return task

    async def get_including_deleted(self, task_id: TaskId) -> Task:
        """See the port."""
        if not self._is_locked and self._writes == "postgresql":
            row = self._lock(await self._run(statements.next_revision_and_task(), task=task_id))
            rows: Rows = [row] if row[0] is not None else []
        else:
            if not self._is_locked:
                await self._take_revision()
            rows = await self._run(statements.TASK, task=task_id)
        if not rows:
            raise TaskNotFound
        return row_to_task(self._owner, rows[0])

    async def save(self, task: Task) -> Task:
        """See the port."""
        revision, at = self._next or await self._take_revision()
        stored = task.stored(revision, at)
        await self._run(statements.UPDATE_TASK, task=task.id, **statements.task_params(stored))
        self._next, self.has_changed = None, True
        return stored

    async def _take_revision(self) -> tuple[Revision, datetime]:
        if self._writes == SHARDED and not self._is_locked:
            await self._run(set_user())
        self._lock(await self._run(statements.next_revision(self._writes)))
        if self._next is None:
            raise LookupError("a statement that takes the list's next revision has returned none")
        return self._next

    def _lock(self, rows: Rows) -> Rows:
        """Note what a statement that takes the list's next revision has returned; return the rest of its row.

        Raises:
            InvalidToken: it returned no row, because the list refuses the token.
        """
        if not rows:
            raise InvalidToken(REVOKED)
        rest: Rows
        revision, at, *rest = rows[0]
        self._is_locked, self._next = True, (Revision(revision), at)
        return rest

    async def _run(self, statement: Any, **parameters: Any) -> Rows:
        known = {"owner": self._owner, "issued_at": self._issued_at, "at": self._at}
        return await self._transaction.run(statement, known | parameters)
