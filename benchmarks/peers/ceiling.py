"""The framework's ceiling: the same answers from Litestar, with no authentication and no database."""

from datetime import UTC, datetime
from uuid import UUID

from litestar import Litestar, get, post
from litestar.params import FromPath
from msgspec import Struct

NOW = datetime.now(UTC)


class Task(Struct):
    """As large as a real one."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime
    revision: int


class Page(Struct):
    """Twenty of them."""

    data: list[Task]
    count: int
    next_cursor: str | None


ONE = Task(UUID(int=1), "u1", "Buy milk", "Something to do", False, NOW, NOW, 1)
TWENTY = Page([ONE] * 20, 20, None)


@get("/health")
async def health() -> dict[str, str]:
    """Say that it lives."""
    return {"status": "ok"}


@get("/api/{user_id:str}/tasks")
async def list_tasks(user_id: FromPath[str]) -> Page:
    """Twenty tasks, the same each time."""
    del user_id
    return TWENTY


@post("/api/{user_id:str}/tasks")
async def create_task(user_id: FromPath[str]) -> Task:
    """A task, whatever was sent."""
    del user_id
    return ONE


@get("/api/{user_id:str}/tasks/{task_id:str}")
async def get_task(user_id: FromPath[str], task_id: FromPath[str]) -> Task:
    """The same task each time."""
    del user_id, task_id
    return ONE


app = Litestar([health, list_tasks, create_task, get_task], openapi_config=None)
