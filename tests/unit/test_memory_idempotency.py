import pytest

from adapters.memory.task_lists import MemoryTaskLists
from application.ports import TaskLists
from tests.contracts.idempotency import IdempotencyContract


class TestMemoryIdempotency(IdempotencyContract):
    @pytest.fixture
    def lists(self) -> TaskLists:
        return MemoryTaskLists()

    @pytest.fixture
    def bounded(self) -> TaskLists:
        return MemoryTaskLists(1)
