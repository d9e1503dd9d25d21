"""The synchronous client: the same calls, each run to its end on the calling thread."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from evo_todo_client.async_client import Calls
from evo_todo_client.network import TIMEOUT, Network, each, result_of
from evo_todo_client.session import Session

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    method: Callable[Concatenate[Calls, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Client", P], T]:
    @wraps(method)
    def call(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return result_of(method(client._calls, *args, **kwargs))  # noqa: SLF001  (a method of it)

    return call


def _iterated(
    method: Callable[Concatenate[Calls, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate["Client", P], Generator[T, None, None]]:
    @wraps(method)
    def call(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return each(method(client._calls, *args, **kwargs))  # noqa: SLF001  (a method of it)

    return call


class Client:
    """A client of the tasks API for one signed-in user; threads may share it.

    Args:
        base_url: of the API, ending in `/api`.
        fetch_token: requests a new token of the session; `None` ends the session, and what it raises is Unreachable.
        http: with timeouts, proxies and certificates of your own; it is not closed here.
    """

    def __init__(
        self, base_url: str, fetch_token: Callable[[], str | None], *, http: httpx.Client | None = None
    ) -> None:
        self._is_own = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._session = Session(base_url, Network(self._http, fetch_token))
        self._calls = Calls(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the watches, also those of other threads, and close the connections."""
        self._session.network.end_streams()
        if self._is_own:
            self._http.close()

    def sign_out(self) -> None:
        """Forget the token, at each sign-out: the next call fetches another, and calls that wait for one fail."""
        self._calls.sign_out()

    list_tasks = _blocking(Calls.list_tasks)
    changes = _iterated(Calls.changes)
    watch = _iterated(Calls.watch)
    create_task = _blocking(Calls.create_task)
    get_task = _blocking(Calls.get_task)
    update_task = _blocking(Calls.update_task)
    set_completed = _blocking(Calls.set_completed)
    delete_task = _blocking(Calls.delete_task)
    restore_task = _blocking(Calls.restore_task)
