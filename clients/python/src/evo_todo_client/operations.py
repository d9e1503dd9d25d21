"""The methods of both clients, as steps."""

from enum import Enum
from typing import Any, Final
from uuid import uuid4

from evo_todo_client.calls import all_tasks, changes, if_match, list_path, send, task_of, task_path
from evo_todo_client.models import Sort, Task
from evo_todo_client.steps import Call, Steps
from evo_todo_client.tokens import Tokens


class Unset(Enum):
    """The kind of UNSET."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Stays as it is, where `None` clears it."""


class Operations:
    """Each method checks its arguments at once, and raises ValueError for an id that cannot be part of a path."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def list_tasks(
        self, user_id: str, q: str | None, sort: Sort | None, *, completed: bool | None, deleted: bool
    ) -> Steps[list[Task]]:
        given = {"completed": completed, "q": q, "sort": sort, "deleted": deleted or None}
        filters = {name: _text(value) for name, value in given.items() if value is not None}
        return all_tasks(self.tokens, list_path(user_id), filters)

    def changes(self, user_id: str, since: str | None) -> Steps[None]:
        return changes(self.tokens, list_path(user_id), since)

    def create_task(self, user_id: str, title: str, description: str | None, key: str | None) -> Steps[Task]:
        headers = {"Idempotency-Key": key or str(uuid4())}
        body = {"title": title, "description": description}
        return task_of(self.tokens, Call("POST", list_path(user_id), headers=headers, json=body))

    def get_task(self, user_id: str, task_id: str) -> Steps[Task]:
        return task_of(self.tokens, Call("GET", task_path(user_id, task_id)))

    def update_task(
        self, user_id: str, task_id: str, members: dict[str, str | bool | Unset | None], revision: int | None
    ) -> Steps[Task]:
        body = {name: value for name, value in members.items() if value is not UNSET}
        call = Call("PUT", task_path(user_id, task_id), headers=if_match(revision), json=body)
        return task_of(self.tokens, call)

    def set_completed(self, user_id: str, task_id: str, revision: int | None, *, completed: bool) -> Steps[Task]:
        path = f"{task_path(user_id, task_id)}/complete"
        call = Call("PATCH", path, headers=if_match(revision), json={"completed": completed})
        return task_of(self.tokens, call)

    def delete_task(self, user_id: str, task_id: str, revision: int | None) -> Steps[None]:
        return self._nothing(Call("DELETE", task_path(user_id, task_id), headers=if_match(revision)))

    def restore_task(self, user_id: str, task_id: str) -> Steps[Task]:
        return task_of(self.tokens, Call("POST", f"{task_path(user_id, task_id)}/restore"))

    def _nothing(self, call: Call) -> Steps[None]:
        yield from send(self.tokens, call)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()
