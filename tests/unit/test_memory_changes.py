import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings

from adapters.memory.task_lists import MemoryTaskLists
from application.ports import TaskLists
from tests.contracts.changes import SETTINGS, ChangesContract, Purge, SyncModel
from tests.contracts.task_lists import ALICE


class TestMemoryChanges(ChangesContract):
    @pytest.fixture
    def lists(self) -> MemoryTaskLists:
        return MemoryTaskLists()

    @pytest.fixture
    def purge(self, lists: TaskLists) -> Purge:
        assert isinstance(lists, MemoryTaskLists)
        return lists.purge_before


class MemorySync(SyncModel):
    def __init__(self) -> None:
        super().__init__()
        self.lists = lists = MemoryTaskLists()
        self.purge, self.owner = lists.purge_before, ALICE
        self.runner = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, object]) -> object:
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        super().teardown()
        self.runner.close()


TestMemorySync = MemorySync.TestCase
TestMemorySync.settings = settings(SETTINGS, max_examples=60, stateful_step_count=30)
