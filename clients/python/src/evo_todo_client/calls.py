"""Every call of the API as steps: with a token, renewed once if it is rejected, and repeated where that is safe."""

import random
from typing import Any, Final
from urllib.parse import quote

import httpx

from evo_todo_client.models import Changes, Task
from evo_todo_client.problems import ApiProblem, Unauthorized, Unreachable, problem_of, unexpected_response
from evo_todo_client.steps import Call, Emit, Open, Send, Sleep, Steps
from evo_todo_client.tokens import Tokens

ATTEMPTS: Final = 3
PAGE: Final = "1000"
GONE: Final = 410
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
_LONGEST_WAIT: Final = 10.0
_BACKOFF: Final = 0.25


def list_path(user_id: str) -> str:
    """Raises ValueError for ids that a URL would resolve, so that another resource would be addressed."""
    return f"/{_segment(user_id)}/tasks"


def task_path(user_id: str, task_id: str) -> str:
    """Raises ValueError as `list_path` does."""
    return f"{list_path(user_id)}/{_segment(task_id)}"


def _segment(identifier: str) -> str:
    if identifier in {"", ".", ".."}:
        raise ValueError(f"{identifier!r} is not a valid id")
    return quote(identifier, safe="")


def if_match(revision: int | None) -> dict[str, str]:
    """The header field that makes a change conditional."""
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def send(tokens: Tokens, call: Call, *, stream: float | None = None) -> Steps[tuple[httpx.Response, str]]:
    """The successful response, and the token that it was given for. `stream`: keep it open, with this silence.

    Raises:
        ApiProblem: an error response; Unauthorized when the session has ended.
        Unreachable: no response.
    """
    is_repeatable = stream is None and (call.method == "GET" or "Idempotency-Key" in call.headers)
    failures = 0
    rejected: str | None = None
    is_renewed = False
    while True:
        try:
            token = yield from tokens.get(rejected)
            is_renewed, rejected = is_renewed or rejected is not None, None
            response: httpx.Response = yield (Send(call, token) if stream is None else Open(call, token, stream))
            if response.is_success:
                return response, token
            problem = problem_of(response)
            if not isinstance(problem, Unauthorized) or is_renewed:
                raise problem
            rejected = token
        except Unauthorized:
            tokens.clear()
            raise
        except (ApiProblem, Unreachable) as failure:
            failures += 1
            delay = _delay(failure, failures) if is_repeatable and failures < ATTEMPTS else None
            if delay is None:
                raise
            yield Sleep(delay)


def _delay(failure: ApiProblem | Unreachable, failures: int) -> float | None:
    """Seconds until the next attempt; `None`: don't. Full jitter, so that clients do not return in step."""
    backoff = random.random() * _BACKOFF * 2.0**failures  # noqa: S311  (no secret)
    if isinstance(failure, Unreachable):
        return backoff
    if failure.status not in _TRANSIENT:
        return None
    if failure.retry_after is None:
        return backoff
    return failure.retry_after + backoff if failure.retry_after <= _LONGEST_WAIT else None


def body_of(tokens: Tokens, call: Call) -> Steps[dict[str, Any]]:
    """The JSON object of the response. Raises as `send` does, also for a success that is not the API's."""
    response, _ = yield from send(tokens, call)
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise unexpected_response()
    return body


def task_of(tokens: Tokens, call: Call) -> Steps[Task]:
    """The task of the response. Raises as `body_of` does."""
    body = yield from body_of(tokens, call)
    return _parsed(body)


def _parsed(data: Any) -> Task:
    try:
        return Task.from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        raise unexpected_response() from error


def all_tasks(tokens: Tokens, path: str, filters: dict[str, str]) -> Steps[list[Task]]:
    """All pages of a list, each task once."""
    found: dict[str, Task] = {}
    params = filters | {"limit": PAGE}
    while True:
        page = yield from body_of(tokens, Call("GET", path, params))
        for data in page.get("data", ()):
            task = _parsed(data)
            found[task.id] = task
        if page.get("next_cursor") is None:
            return list(found.values())
        params = params | {"cursor": page["next_cursor"]}


def changes_page(tokens: Tokens, path: str, since: str | None) -> Steps[tuple[Changes, bool]]:
    """One page since the token, the first one without, and whether there are more. Raises as `body_of` does."""
    params = {"limit": PAGE} | ({} if since is None else {"since": since})
    page = yield from body_of(tokens, Call("GET", f"{path}/changes", params))
    try:
        tasks = [Task.from_json(data) for data in page["data"]]
        return Changes(since is None, tasks, page["deleted"], page["sync_token"]), page["has_more"]
    except (KeyError, TypeError, ValueError) as error:
        raise unexpected_response() from error


def changes(tokens: Tokens, path: str, since: str | None) -> Steps[None]:
    """Emits the pages since the token; when it has expired, the whole list instead, once."""
    token, has_more = since, True
    has_restarted = since is None
    while has_more:
        try:
            page, has_more = yield from changes_page(tokens, path, token)
        except ApiProblem as problem:
            if problem.status != GONE or has_restarted:
                raise
            token, has_restarted = None, True
            continue
        yield Emit(page)
        token = page.sync_token
