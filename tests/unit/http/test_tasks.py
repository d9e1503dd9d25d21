from tests.contracts.tasks_over_http import TasksOverHttpContract


class TestTasksInMemory(TasksOverHttpContract):
    """With the `api` fixture of this folder."""

    api = None  # type: ignore[assignment]  # takes the contract's own out of the way
