import pytest

from adapters.memory.change_feed import MemoryChangeFeed
from application.ports import ChangeFeed
from tests.contracts.change_feeds import ChangeFeedsContract


class TestMemoryChangeFeed(ChangeFeedsContract):
    @pytest.fixture
    def feed(self) -> ChangeFeed:
        return MemoryChangeFeed()
