"""A client of the Evo-TODO tasks API, synchronous (`Client`) and asynchronous (`AsyncClient`)."""

from evo_todo_client.async_client import UNSET, AsyncClient
from evo_todo_client.client import Client
from evo_todo_client.models import Changed, Changes, Deleted, Event, Reset, Sort, Status, Task, WatchTimes
from evo_todo_client.problems import ApiProblem, ChangedElsewhere, FieldProblem, Unauthorized, Unreachable

__all__ = [
    "UNSET",
    "ApiProblem",
    "AsyncClient",
    "Changed",
    "ChangedElsewhere",
    "Changes",
    "Client",
    "Deleted",
    "Event",
    "FieldProblem",
    "Reset",
    "Sort",
    "Status",
    "Task",
    "Unauthorized",
    "Unreachable",
    "WatchTimes",
]
