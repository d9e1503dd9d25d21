"""The calls on a user's tasks. Handlers translate; they never decide."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody
from msgspec import UnsetType

from adapters.http.answers import Answer, not_modified, page_answer, path_of, task_answer
from adapters.http.bodies import JSON, MERGE_PATCH
from adapters.http.injection import FromDishka, inject, principal_of
from adapters.http.preconditions import if_match, if_none_match
from adapters.http.queries import next_link, parse_query
from adapters.http.schemas import Completion, NewTask, Restoration, TaskPageView, TaskUpdate
from application.tasks import ChangeTask, CompleteTask, CreateTask, DeleteTask, GetTask, ListTasks, RestoreTask
from domain.errors import TaskNotFound
from domain.identity import UserId
from domain.task import TaskId
from domain.task_list import Unchanged

_TOGGLE: Final = Completion()
_RESTORE: Final = Restoration()


def task_id_of(text: str) -> TaskId:
    """The id that a path names, in its canonical form only (RFC 9562 §4).

    Raises:
        TaskNotFound: it is in no such form, so there is no such task.
    """
    try:
        task_id = UUID(text)
    except ValueError as error:
        raise TaskNotFound from error
    if str(task_id) != text:
        raise TaskNotFound
    return TaskId(task_id)


def _field(request: "Request[Any, Any, Any]", name: bytes) -> str | None:
    """A header field, its lines joined (RFC 9110 §5.3); `None` when it is not there."""
    # Litestar's own view of the header fields is made anew for each request, and costs ten times as much.
    lines = [value for key, value in request.scope["headers"] if key == name]
    return b", ".join(lines).decode("latin-1") if lines else None


class Tasks(Controller):
    """One user's tasks."""

    path = "/api/{user_id:str}/tasks"

    @get(operation_id="listTasks")
    @inject
    async def list_page(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        list_tasks: FromDishka[ListTasks],
    ) -> Answer:
        """List tasks."""
        parameters = list(request.query_params.multi_items())
        query = parse_query(parameters)
        known = if_none_match(_field(request, b"if-none-match"))
        page = await list_tasks(principal_of(request), UserId(user_id), query, known=known)
        if isinstance(page, Unchanged):
            return not_modified(page.revision)
        view = TaskPageView.of(page, query)
        follows = view.next_cursor
        link = None if follows is None else next_link(path_of(user_id), parameters, follows)
        return page_answer(view, page.revision, link)

    @post(operation_id="createTask")
    @inject
    async def create(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        data: JSONBody[NewTask],
        create_task: FromDishka[CreateTask],
    ) -> Answer:
        """Create a task."""
        principal, owner = principal_of(request), UserId(user_id)
        task = await create_task(principal, owner, title=data.title, description=data.description)
        return task_answer(task, status=201, location=f"{path_of(user_id)}/{task.id}")

    @get("/{task_id:str}", operation_id="getTask")
    @inject
    async def read(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        get_task: FromDishka[GetTask],
    ) -> Answer:
        """Get a task."""
        task = await get_task(principal_of(request), UserId(user_id), task_id_of(task_id))
        known = if_none_match(_field(request, b"if-none-match"))
        if known is not None and task.revision in known:
            return not_modified(task.revision)
        return task_answer(task)

    @put("/{task_id:str}", operation_id="updateTask")
    @inject
    async def update(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[TaskUpdate],
        change_task: FromDishka[ChangeTask],
    ) -> Answer:
        """Change a task: only the members that are there."""
        return await _change(request, user_id, task_id, data, change_task)

    @patch("/{task_id:str}", operation_id="patchTask", media_types=(JSON, MERGE_PATCH))
    @inject
    async def merge(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[TaskUpdate],
        change_task: FromDishka[ChangeTask],
    ) -> Answer:
        """Change a task: the same as PUT."""
        return await _change(request, user_id, task_id, data, change_task)

    @delete("/{task_id:str}", operation_id="deleteTask")
    @inject
    async def remove(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        delete_task: FromDishka[DeleteTask],
    ) -> None:
        """Delete a task."""
        expected = if_match(_field(request, b"if-match"))
        await delete_task(principal_of(request), UserId(user_id), task_id_of(task_id), expected=expected)

    @patch("/{task_id:str}/complete", operation_id="completeTask")
    @inject
    async def complete(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        complete_task: FromDishka[CompleteTask],
        data: JSONBody[Completion] = _TOGGLE,
    ) -> Answer:
        """Toggle whether a task is done, or say which."""
        expected = if_match(_field(request, b"if-match"))
        completed = None if isinstance(data.completed, UnsetType) else data.completed
        task = await complete_task(
            principal_of(request), UserId(user_id), task_id_of(task_id), completed=completed, expected=expected
        )
        return task_answer(task)

    @post("/{task_id:str}/restore", operation_id="restoreTask", status_code=200)
    @inject
    async def restore(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        restore_task: FromDishka[RestoreTask],
        data: JSONBody[Restoration] = _RESTORE,
    ) -> Answer:
        """Bring a deleted task back."""
        del data  # it can be wrong, but says nothing
        expected = if_match(_field(request, b"if-match"))
        task = await restore_task(principal_of(request), UserId(user_id), task_id_of(task_id), expected=expected)
        return task_answer(task)


async def _change(
    request: "Request[Any, Any, Any]",
    user_id: str,
    task_id: str,
    data: TaskUpdate,
    change_task: ChangeTask,
) -> Answer:
    expected = if_match(_field(request, b"if-match"))
    principal, owner = principal_of(request), UserId(user_id)
    return task_answer(await change_task(principal, owner, task_id_of(task_id), data.change(), expected=expected))
