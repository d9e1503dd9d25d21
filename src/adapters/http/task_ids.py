"""Task ids in paths."""

import re
from uuid import UUID

from domain.errors import TaskNotFound
from domain.task import TaskId

_CANONICAL = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def task_id_of(text: str) -> TaskId:
    """The id that a path names, in its canonical form only (RFC 9562 §4).

    Raises:
        TaskNotFound: it is in no such form, so there is no such task.
    """
    if not _CANONICAL.fullmatch(text):
        raise TaskNotFound
    return TaskId(UUID(text))
