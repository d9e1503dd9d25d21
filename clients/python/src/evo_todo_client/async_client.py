"""The calls of the API, and the asynchronous client, on asyncio or trio."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from enum import Enum
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from evo_todo_client.models import Changes, Event, Sort, Status, Task, WatchTimes
from evo_todo_client.network import TIMEOUT, Network
from evo_todo_client.problems import ApiProblem
from evo_todo_client.session import Call, Session
from evo_todo_client.watch import Watch

_PAGE: Final = "1000"
_GONE: Final = 410
_TIMES: Final = WatchTimes()


class Unset(Enum):
    """The kind of UNSET."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Stays as it is, where `None` clears it."""


class Calls:
    """The calls for one signed-in user.

    Every call raises Unauthorized when the session has ended, another ApiProblem for any other error response,
    Unreachable when there is no response, and ValueError for an id that cannot be part of a path. Reads and creates (by
    their `Idempotency-Key`) are attempted up to three times, other changes once.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def sign_out(self) -> None:
        """Forget the token, at each sign-out: the next call fetches another, and calls that wait for one fail."""
        self._session.tokens.clear()

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
        given = {"completed": completed, "q": q, "sort": sort, "deleted": deleted or None}
        params = {name: _text(value) for name, value in given.items() if value is not None} | {"limit": _PAGE}
        found: dict[str, Task] = {}
        while True:
            page = await self._session.body(Call("GET", _path(user_id), params))
            tasks, cursor = Task.page(page)
            found |= {task.id: task for task in tasks}
            if cursor is None:
                return list(found.values())
            params |= {"cursor": cursor}

    def changes(self, user_id: str, *, since: str | None = None) -> AsyncGenerator[Changes, None]:
        """What changed since a sync token, a page at a time; the whole list without one, or if it has expired."""
        return self._changes(_path(user_id), since)

    async def _changes(self, path: str, since: str | None) -> AsyncGenerator[Changes, None]:
        has_restarted, has_more = since is None, True
        while has_more:
            try:
                page, has_more = await self._changes_page(path, since)
            except ApiProblem as problem:
                if problem.status != _GONE or has_restarted:
                    raise
                since, has_restarted = None, True
                continue
            yield page
            since = page.sync_token

    async def _changes_page(self, path: str, since: str | None) -> tuple[Changes, bool]:
        params = {"limit": _PAGE} | ({} if since is None else {"since": since})
        page = await self._session.body(Call("GET", f"{path}/changes", params))
        return Changes.received(page, is_reset=since is None)

    def watch(
        self,
        user_id: str,
        *,
        since: str | None = None,
        on_status: Callable[[Status], object] = lambda _: None,
        times: WatchTimes = _TIMES,
    ) -> AsyncGenerator[Event, None]:
        """The list's changes as they happen; reconnects by itself and loses nothing meanwhile.

        Polls where something on the way holds the stream back. Without `since`, the first event is a Reset. Leave the
        loop to stop, or close the client, also from another thread; an asynchronous one is closed at once by
        contextlib.aclosing. Otherwise it ends only by an error.
        """
        path = _path(user_id)

        def page_since(token: str | None) -> Awaitable[tuple[Changes, bool]]:
            return self._changes_page(path, token)

        return Watch(self._session, f"{path}/events", page_since, since, on_status, times).events()

    async def create_task(
        self, user_id: str, title: str, description: str | None = None, *, idempotency_key: str | None = None
    ) -> Task:
        """Create a task. Repeat the key of an earlier call to get the task that it created, if it did."""
        headers = {"Idempotency-Key": str(uuid4()) if idempotency_key is None else idempotency_key}
        return await self._task("POST", _path(user_id), headers, {"title": title, "description": description})

    async def get_task(self, user_id: str, task_id: str) -> Task:
        """The task."""
        return await self._task("GET", _path(user_id, task_id))

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
        body = {name: value for name, value in members.items() if value is not UNSET}
        return await self._task("PUT", _path(user_id, task_id), _if_match(revision), body)

    async def set_completed(self, user_id: str, task_id: str, completed: bool, *, revision: int | None = None) -> Task:  # noqa: FBT001  (reads well by position)
        """Set whether the task is completed. Idempotent."""
        path = f"{_path(user_id, task_id)}/complete"
        return await self._task("PATCH", path, _if_match(revision), {"completed": completed})

    async def delete_task(self, user_id: str, task_id: str, *, revision: int | None = None) -> None:
        """Delete the task; `restore_task` undoes it."""
        await self._session.send(Call("DELETE", _path(user_id, task_id), headers=_if_match(revision)))

    async def restore_task(self, user_id: str, task_id: str) -> Task:
        """Restore a deleted task. Idempotent."""
        return await self._task("POST", f"{_path(user_id, task_id)}/restore")

    async def _task(self, method: str, path: str, headers: dict[str, str] | None = None, json: Any = None) -> Task:
        return Task.received(await self._session.body(Call(method, path, headers=headers or {}, json=json)))


class AsyncClient(Calls):
    """A client of the tasks API for one signed-in user, on asyncio or trio; tasks may share it.

    Args:
        base_url: of the API, ending in `/api`.
        fetch_token: requests a new token of the session; `None` ends the session, and what it raises is Unreachable.
        http: with timeouts, proxies and certificates of your own; it is not closed here.
    """

    def __init__(
        self, base_url: str, fetch_token: Callable[[], Awaitable[str | None]], *, http: httpx.AsyncClient | None = None
    ) -> None:
        self._is_own = http is None
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)
        super().__init__(Session(base_url, Network(self._http, fetch_token)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the watches and close the connections."""
        self._session.network.end_streams()
        if self._is_own:
            await self._http.aclose()


def _path(user_id: str, *task_id: str) -> str:
    """Raises ValueError for ids that a URL would resolve, so that another resource would be addressed."""
    return "/".join(["", _segment(user_id), "tasks", *map(_segment, task_id)])


def _segment(identifier: str) -> str:
    if identifier in {"", ".", ".."}:
        raise ValueError(f"{identifier!r} is not a valid id")
    return quote(identifier, safe="")


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def _text(value: str | bool) -> str:  # noqa: FBT001  (a query parameter)
    return value if isinstance(value, str) else str(value).lower()
