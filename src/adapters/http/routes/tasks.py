"""The calls on a user's tasks. Handlers translate; they never decide."""

from typing import Any, Final

from litestar import Controller, Request, delete, get, patch, post, put
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from msgspec import UnsetType

from adapters.http import hot_calls
from adapters.http.conditional_requests import if_match
from adapters.http.injection import FromDishka, inject, principal_of
from adapters.http.request import JSON, MERGE_PATCH, field, task_id_of
from adapters.http.responses import Response, task_response
from adapters.http.schemas import Completion, NewTask, Restoration, TaskUpdate
from application.tasks import ChangeTask, CompleteTask, CreateTask, DeleteTask, GetTask, ListTasks, RestoreTask
from domain.identity import UserId
from domain.task import Revisions

_TOGGLE: Final = Completion()
_RESTORE: Final = Restoration()


def _if_match(request: "Request[Any, Any, Any]") -> Revisions | None:
    return if_match(field(request.scope, b"if-match"))


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
        state: State,
    ) -> Response:
        """List tasks."""
        return await hot_calls.list_page(list_tasks, request.scope, UserId(user_id), state.page_cache)

    @post(operation_id="createTask")
    @inject
    async def create(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        data: JSONBody[NewTask],
        create_task: FromDishka[CreateTask],
    ) -> Response:
        """Create a task."""
        return await hot_calls.create(create_task, request.scope, UserId(user_id), data)

    @get("/{task_id:str}", operation_id="getTask")
    @inject
    async def read(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        get_task: FromDishka[GetTask],
    ) -> Response:
        """Get a task."""
        return await hot_calls.read_task(get_task, request.scope, UserId(user_id), task_id)

    @put("/{task_id:str}", operation_id="updateTask")
    @inject
    async def update(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[TaskUpdate],
        change_task: FromDishka[ChangeTask],
    ) -> Response:
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
    ) -> Response:
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
        expected = _if_match(request)
        await delete_task(principal_of(request.scope), UserId(user_id), task_id_of(task_id), expected=expected)

    @patch("/{task_id:str}/complete", operation_id="completeTask")
    @inject
    async def complete(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        complete_task: FromDishka[CompleteTask],
        data: JSONBody[Completion] = _TOGGLE,
    ) -> Response:
        """Toggle whether a task is done, or say which."""
        expected = _if_match(request)
        completed = None if isinstance(data.completed, UnsetType) else data.completed
        task = await complete_task(
            principal_of(request.scope), UserId(user_id), task_id_of(task_id), completed=completed, expected=expected
        )
        return task_response(task)

    @post("/{task_id:str}/restore", operation_id="restoreTask", status_code=200)
    @inject
    async def restore(
        self,
        request: "Request[Any, Any, Any]",
        user_id: FromPath[str],
        task_id: FromPath[str],
        restore_task: FromDishka[RestoreTask],
        data: JSONBody[Restoration] = _RESTORE,
    ) -> Response:
        """Bring a deleted task back."""
        del data  # it can be wrong, but says nothing
        expected = _if_match(request)
        task = await restore_task(principal_of(request.scope), UserId(user_id), task_id_of(task_id), expected=expected)
        return task_response(task)


async def _change(
    request: "Request[Any, Any, Any]",
    user_id: str,
    task_id: str,
    data: TaskUpdate,
    change_task: ChangeTask,
) -> Response:
    expected = _if_match(request)
    principal, owner = principal_of(request.scope), UserId(user_id)
    return task_response(await change_task(principal, owner, task_id_of(task_id), data.change(), expected=expected))
