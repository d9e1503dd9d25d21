import pytest

from adapters.memory.task_lists import MemoryChangeFeed
from application.change_feed import ChangeFeed
from tests.contracts.change_feeds import ChangeFeedsContract


class TestMemoryChangeFeed(ChangeFeedsContract):
    @pytest.fixture
    def feed(self) -> ChangeFeed:
        return MemoryChangeFeed()
