"""The calls on a user's tasks. Handlers translate; they never decide."""

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from dishka.integrations.litestar import FromDishka, inject
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody
from msgspec import UnsetType

from adapters.http.bodies import JSON, MERGE_PATCH
from adapters.http.preconditions import etag, if_match, if_none_match
from adapters.http.queries import next_link, parse_query
from adapters.http.schemas import Completion, NewTask, Restoration, TaskPageView, TaskUpdate, TaskView
from application.tasks import ChangeTask, CompleteTask, CreateTask, DeleteTask, GetTask, ListTasks, RestoreTask
from domain.errors import TaskNotFound
from domain.identity import Principal, UserId
from domain.task import Task, TaskId
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


def _path_of(user_id: str) -> str:
    return f"/api/{quote(user_id, safe='')}/tasks"


def _field(request: "Request[Any, Any, Any]", name: str) -> str | None:
    """A header field, its lines joined (RFC 9110 §5.3); `None` when it is not there."""
    lines = request.headers.getall(name, [])
    return ", ".join(lines) if lines else None


def _task_response(task: Task, *, headers: dict[str, str] | None = None) -> Response[TaskView]:
    return Response(TaskView.of(task), headers={"ETag": etag(task.revision), **(headers or {})})


class Tasks(Controller):
    """One user's tasks."""

    path = "/api/{user_id:str}/tasks"

    @get(operation_id="listTasks")
    @inject
    async def list_page(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        principal: FromDishka[Principal],
        list_tasks: FromDishka[ListTasks],
    ) -> Response[TaskPageView] | Response[None]:
        """List tasks."""
        parameters = list(request.query_params.multi_items())
        query = parse_query(parameters)
        known = if_none_match(_field(request, "If-None-Match"))
        page = await list_tasks(principal, UserId(user_id), query, known=known)
        headers = {"ETag": etag(page.revision)}
        if isinstance(page, Unchanged):
            return Response(None, status_code=304, headers=headers)
        view = TaskPageView.of(page, query)
        if view.next_cursor is not None:
            headers["Link"] = next_link(_path_of(user_id), parameters, view.next_cursor)
        return Response(view, headers=headers)

    @post(operation_id="createTask")
    @inject
    async def create(
        self,
        user_id: FromPath[str],
        data: JSONBody[NewTask],
        principal: FromDishka[Principal],
        create_task: FromDishka[CreateTask],
    ) -> Response[TaskView]:
        """Create a task."""
        task = await create_task(principal, UserId(user_id), title=data.title, description=data.description)
        return _task_response(task, headers={"Location": f"{_path_of(user_id)}/{task.id}"})

    @get("/{task_id:str}", operation_id="getTask")
    @inject
    async def read(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        principal: FromDishka[Principal],
        get_task: FromDishka[GetTask],
    ) -> Response[TaskView] | Response[None]:
        """Get a task."""
        task = await get_task(principal, UserId(user_id), task_id_of(task_id))
        known = if_none_match(_field(request, "If-None-Match"))
        if known is not None and task.revision in known:
            return Response(None, status_code=304, headers={"ETag": etag(task.revision)})
        return _task_response(task)

    @put("/{task_id:str}", operation_id="updateTask")
    @inject
    async def update(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[TaskUpdate],
        principal: FromDishka[Principal],
        change_task: FromDishka[ChangeTask],
    ) -> Response[TaskView]:
        """Change a task: only the members that are there."""
        return await _change(request, user_id, task_id, data, principal, change_task)

    @patch("/{task_id:str}", operation_id="patchTask", media_types=(JSON, MERGE_PATCH))
    @inject
    async def merge(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[TaskUpdate],
        principal: FromDishka[Principal],
        change_task: FromDishka[ChangeTask],
    ) -> Response[TaskView]:
        """Change a task: the same as PUT."""
        return await _change(request, user_id, task_id, data, principal, change_task)

    @delete("/{task_id:str}", operation_id="deleteTask")
    @inject
    async def remove(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        principal: FromDishka[Principal],
        delete_task: FromDishka[DeleteTask],
    ) -> None:
        """Delete a task."""
        expected = if_match(_field(request, "If-Match"))
        await delete_task(principal, UserId(user_id), task_id_of(task_id), expected=expected)

    @patch("/{task_id:str}/complete", operation_id="completeTask")
    @inject
    async def complete(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        principal: FromDishka[Principal],
        complete_task: FromDishka[CompleteTask],
        data: JSONBody[Completion] = _TOGGLE,
    ) -> Response[TaskView]:
        """Toggle whether a task is done, or say which."""
        expected = if_match(_field(request, "If-Match"))
        completed = None if isinstance(data.completed, UnsetType) else data.completed
        task = await complete_task(
            principal, UserId(user_id), task_id_of(task_id), completed=completed, expected=expected
        )
        return _task_response(task)

    @post("/{task_id:str}/restore", operation_id="restoreTask", status_code=200)
    @inject
    async def restore(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        principal: FromDishka[Principal],
        restore_task: FromDishka[RestoreTask],
        data: JSONBody[Restoration] = _RESTORE,
    ) -> Response[TaskView]:
        """Bring a deleted task back."""
        del data  # it can be wrong, but says nothing
        expected = if_match(_field(request, "If-Match"))
        task = await restore_task(principal, UserId(user_id), task_id_of(task_id), expected=expected)
        return _task_response(task)


async def _change(
    request: "Request[Any, Any, Any]",
    user_id: str,
    task_id: str,
    data: TaskUpdate,
    principal: Principal,
    change_task: ChangeTask,
) -> Response[TaskView]:
    expected = if_match(_field(request, "If-Match"))
    task = await change_task(principal, UserId(user_id), task_id_of(task_id), data.change(), expected=expected)
    return _task_response(task)
