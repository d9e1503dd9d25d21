"""What every change feed must do."""

import asyncio
from abc import ABC, abstractmethod

import pytest

from application.change_feed import ChangeFeed
from domain.identity import UserId

ALICE, BOB = UserId("alice"), UserId("bob")


async def settled() -> None:
    """Let every callback run that is due."""
    for _ in range(5):
        await asyncio.sleep(0)


class ChangeFeedsContract(ABC):
    """Inherited by the test class of every feed."""

    @pytest.fixture
    @abstractmethod
    def feed(self) -> ChangeFeed: ...

    async def test_a_notice_reaches_everyone_who_watches_the_list_and_nobody_else(self, feed: ChangeFeed) -> None:
        with feed.subscribe(ALICE) as one, feed.subscribe(ALICE) as two, feed.subscribe(BOB) as other:
            feed.notify(ALICE)
            await settled()
            assert (one.is_set(), two.is_set(), other.is_set()) == (True, True, False)

    async def test_many_notices_are_one(self, feed: ChangeFeed) -> None:
        with feed.subscribe(ALICE) as event:
            for _ in range(1000):
                feed.notify(ALICE)
            await event.wait()
            event.clear()
            await settled()
            assert not event.is_set()

    async def test_a_notice_after_the_event_was_cleared_sets_it_again(self, feed: ChangeFeed) -> None:
        with feed.subscribe(ALICE) as event:
            feed.notify(ALICE)
            event.clear()
            feed.notify(ALICE)
            assert event.is_set()

    async def test_a_notice_without_a_watcher_is_no_error_and_is_not_kept(self, feed: ChangeFeed) -> None:
        feed.notify(ALICE)
        with feed.subscribe(ALICE) as event:
            assert not event.is_set()
        feed.notify(ALICE)
        assert not event.is_set()

    @pytest.mark.parametrize("name", ["a b", "ü", "x" * 255, "{tag}", "'; --", "alice@example.org"])
    async def test_any_user_can_be_watched(self, feed: ChangeFeed, name: str) -> None:
        with feed.subscribe(UserId(name)) as event:
            feed.notify(UserId(name))
            assert event.is_set()
