"""The asynchronous client, on asyncio or trio."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Self

import httpx

from evo_todo_client.async_transport import AsyncTransport
from evo_todo_client.interruptions import WatchTimes
from evo_todo_client.models import Changes, Event, Sort, Status, Task
from evo_todo_client.operations import UNSET, Operations, Unset
from evo_todo_client.tokens import Tokens
from evo_todo_client.transport import TIMEOUT
from evo_todo_client.watch import Watch

_TIMES = WatchTimes()


class AsyncClient:
    """A client of the tasks API for one signed-in user; tasks may share it.

    Every method raises Unauthorized when the session has ended, another ApiProblem for any other error response, and
    Unreachable when there is no response. Reads and creates (by their `Idempotency-Key`) are attempted up to three
    times, other changes once.

    Args:
        base_url: of the API, ending in `/api`.
        fetch_token: requests a new token of the session; `None` when there is no session.
        http: with timeouts, proxies and certificates of your own; it is not closed here.
    """

    def __init__(
        self, base_url: str, fetch_token: Callable[[], Awaitable[str | None]], *, http: httpx.AsyncClient | None = None
    ) -> None:
        self._operations = Operations(Tokens())
        self._is_own = http is None
        self._http = httpx.AsyncClient(timeout=TIMEOUT) if http is None else http
        self._transport = AsyncTransport(base_url, fetch_token, self._http, self._operations.tokens)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._is_own:
            await self._http.aclose()

    def sign_out(self) -> None:
        """Forget the token: the next call fetches another."""
        self._operations.tokens.clear()

    async def list_tasks(
        self,
        user_id: str,
        *,
        completed: bool | None = None,
        q: str | None = None,
        sort: Sort | None = None,
        deleted: bool = False,
    ) -> list[Task]:
        """All tasks that match; fetches every page. `deleted`: those that can still be restored."""
        return await self._transport.run(
            self._operations.list_tasks(user_id, q, sort, completed=completed, deleted=deleted)
        )

    def changes(self, user_id: str, *, since: str | None = None) -> AsyncGenerator[Changes, None]:
        """What changed since a sync token, a page at a time; the whole list without one, or if it has expired."""
        return self._transport.emitted(self._operations.changes(user_id, since))

    def watch(
        self,
        user_id: str,
        *,
        since: str | None = None,
        on_status: Callable[[Status], object] = lambda _: None,
        times: WatchTimes = _TIMES,
    ) -> AsyncGenerator[Event, None]:
        """The list's changes as they happen; reconnects by itself, loses nothing meanwhile, and ends only by an error.

        Polls where something on the way holds the stream back. Without `since`, the first event is a Reset. Leave the
        loop to stop, and close the iterator (contextlib.aclosing) to close its connection at once.
        """
        return self._transport.emitted(Watch(self._operations.tokens, user_id, since, on_status, times).steps())

    async def create_task(
        self, user_id: str, title: str, description: str | None = None, *, idempotency_key: str | None = None
    ) -> Task:
        """Create a task. Repeat the key of an earlier call to get the task that it created, if it did."""
        return await self._transport.run(self._operations.create_task(user_id, title, description, idempotency_key))

    async def get_task(self, user_id: str, task_id: str) -> Task:
        """The task."""
        return await self._transport.run(self._operations.get_task(user_id, task_id))

    async def update_task(
        self,
        user_id: str,
        task_id: str,
        *,
        title: str | Unset = UNSET,
        description: str | Unset | None = UNSET,
        completed: bool | Unset = UNSET,
        revision: int | None = None,
    ) -> Task:
        """Change these fields. `revision`: only if the task is still at it, else ChangedElsewhere is raised."""
        members = {"title": title, "description": description, "completed": completed}
        return await self._transport.run(self._operations.update_task(user_id, task_id, members, revision))

    async def set_completed(self, user_id: str, task_id: str, completed: bool, *, revision: int | None = None) -> Task:  # noqa: FBT001  (reads well by position)
        """Set whether the task is completed. Idempotent."""
        return await self._transport.run(
            self._operations.set_completed(user_id, task_id, revision, completed=completed)
        )

    async def delete_task(self, user_id: str, task_id: str, *, revision: int | None = None) -> None:
        """Delete the task; `restore_task` undoes it."""
        await self._transport.run(self._operations.delete_task(user_id, task_id, revision))

    async def restore_task(self, user_id: str, task_id: str) -> Task:
        """Restore a deleted task. Idempotent."""
        return await self._transport.run(self._operations.restore_task(user_id, task_id))
