"""The framework's ceiling: the same responses from Litestar, without authentication and database."""

from datetime import UTC, datetime
from uuid import UUID

from litestar import Litestar, get, post
from litestar.params import FromPath
from msgspec import Struct

NOW = datetime.now(UTC)


class Task(Struct):
    """A task with the members of a real one."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime
    revision: int


class Page(Struct):
    """A page of tasks."""

    data: list[Task]
    count: int
    next_cursor: str | None


ONE = Task(UUID(int=1), "u1", "Buy milk", "Something to do", False, NOW, NOW, 1)
TWENTY = Page([ONE] * 20, 20, None)


@get("/health")
async def health() -> dict[str, str]:
    """Liveness."""
    return {"status": "ok"}


@get("/api/{user_id:str}/tasks")
async def list_tasks(user_id: FromPath[str]) -> Page:
    """Return the same twenty tasks each time."""
    del user_id
    return TWENTY


@post("/api/{user_id:str}/tasks")
async def create_task(user_id: FromPath[str]) -> Task:
    """Return the same task each time; the body is ignored."""
    del user_id
    return ONE


@get("/api/{user_id:str}/tasks/{task_id:str}")
async def get_task(user_id: FromPath[str], task_id: FromPath[str]) -> Task:
    """Return the same task each time."""
    del user_id, task_id
    return ONE


app = Litestar([health, list_tasks, create_task, get_task], openapi_config=None)
