import pytest

from adapters.memory.task_lists import MemoryTaskLists
from application.ports import TaskLists
from tests.contracts.task_lists import TaskListsContract
from tests.contracts.task_pages import TaskPagesContract


class TestMemoryTaskLists(TaskListsContract, TaskPagesContract):
    @pytest.fixture
    def lists(self) -> TaskLists:
        return MemoryTaskLists()

    @pytest.fixture
    def bounded(self) -> TaskLists:
        return MemoryTaskLists(3)
