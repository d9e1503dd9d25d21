"""The synchronous client."""

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Self

import httpx

from evo_todo_client.interruptions import WatchTimes
from evo_todo_client.models import Changes, Event, Sort, Status, Task
from evo_todo_client.operations import UNSET, Operations, Unset
from evo_todo_client.tokens import Tokens
from evo_todo_client.transport import TIMEOUT, Transport
from evo_todo_client.watch import Watch

_TIMES = WatchTimes()


class Client:
    """A client of the tasks API for one signed-in user; threads may share it.

    Every method raises Unauthorized when the session has ended, another ApiProblem for any other error response, and
    Unreachable when there is no response. Reads and creates (by their `Idempotency-Key`) are attempted up to three
    times, other changes once.

    Args:
        base_url: of the API, ending in `/api`.
        fetch_token: requests a new token of the session; `None` when there is no session.
        http: with timeouts, proxies and certificates of your own; it is not closed here.
    """

    def __init__(
        self, base_url: str, fetch_token: Callable[[], str | None], *, http: httpx.Client | None = None
    ) -> None:
        self._operations = Operations(Tokens())
        self._is_own = http is None
        self._http = httpx.Client(timeout=TIMEOUT) if http is None else http
        self._transport = Transport(base_url, fetch_token, self._http, self._operations.tokens)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._is_own:
            self._http.close()

    def sign_out(self) -> None:
        """Forget the token: the next call fetches another."""
        self._operations.tokens.clear()

    def list_tasks(
        self,
        user_id: str,
        *,
        completed: bool | None = None,
        q: str | None = None,
        sort: Sort | None = None,
        deleted: bool = False,
    ) -> list[Task]:
        """All tasks that match; fetches every page. `deleted`: those that can still be restored."""
        return self._transport.run(self._operations.list_tasks(user_id, q, sort, completed=completed, deleted=deleted))

    def changes(self, user_id: str, *, since: str | None = None) -> Generator[Changes, None, None]:
        """What changed since a sync token, a page at a time; the whole list without one, or if it has expired."""
        return self._transport.emitted(self._operations.changes(user_id, since))

    def watch(
        self,
        user_id: str,
        *,
        since: str | None = None,
        on_status: Callable[[Status], object] = lambda _: None,
        times: WatchTimes = _TIMES,
    ) -> Generator[Event, None, None]:
        """The list's changes as they happen; reconnects by itself, loses nothing meanwhile, and ends only by an error.

        Polls where something on the way holds the stream back. Without `since`, the first event is a Reset. Leave the
        loop to stop; it blocks until there is an event.
        """
        return self._transport.emitted(Watch(self._operations.tokens, user_id, since, on_status, times).steps())

    def create_task(
        self, user_id: str, title: str, description: str | None = None, *, idempotency_key: str | None = None
    ) -> Task:
        """Create a task. Repeat the key of an earlier call to get the task that it created, if it did."""
        return self._transport.run(self._operations.create_task(user_id, title, description, idempotency_key))

    def get_task(self, user_id: str, task_id: str) -> Task:
        """The task."""
        return self._transport.run(self._operations.get_task(user_id, task_id))

    def update_task(
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
        return self._transport.run(self._operations.update_task(user_id, task_id, members, revision))

    def set_completed(self, user_id: str, task_id: str, completed: bool, *, revision: int | None = None) -> Task:  # noqa: FBT001  (reads well by position)
        """Set whether the task is completed. Idempotent."""
        return self._transport.run(self._operations.set_completed(user_id, task_id, revision, completed=completed))

    def delete_task(self, user_id: str, task_id: str, *, revision: int | None = None) -> None:
        """Delete the task; `restore_task` undoes it."""
        self._transport.run(self._operations.delete_task(user_id, task_id, revision))

    def restore_task(self, user_id: str, task_id: str) -> Task:
        """Restore a deleted task. Idempotent."""
        return self._transport.run(self._operations.restore_task(user_id, task_id))
