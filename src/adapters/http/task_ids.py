"""Task ids in paths."""

from uuid import UUID

from domain.errors import TaskNotFound
from domain.task import TaskId


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
