"""A client of the Evo-TODO tasks API, synchronous (`Client`) and asynchronous (`AsyncClient`)."""

from evo_todo_client.async_client import AsyncClient
from evo_todo_client.client import Client
from evo_todo_client.interruptions import WatchTimes
from evo_todo_client.models import Changed, Changes, Deleted, Event, Reset, Sort, Status, Task
from evo_todo_client.operations import UNSET
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
