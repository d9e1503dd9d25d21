"""V2: of many clients whose tokens must be verified, nobody is held up by another."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.tokens.verification_queue import MAX_CLIENTS, VerificationQueue
from domain.errors import InvalidToken, Overloaded, TooManyRequests
from domain.rate_limit import RateLimit, RateLimitStatus


def good() -> None:
    """A check that succeeds."""


def bad() -> None:
    raise InvalidToken("bad")


class Order:
    """The order in which the checks of clients were made."""

    def __init__(self, queue: VerificationQueue) -> None:
        self.queue, self.made, self.tasks = queue, "", list[asyncio.Task[Any]]()

    def add(self, clients: str, then: Callable[[], None] = good) -> None:
        """Let these clients, each a letter, wait for a check."""
        for client in clients:
            self.tasks.append(asyncio.create_task(self.queue.run(self._check(client, then), client)))

    def _check(self, client: str, then: Callable[[], None]) -> Callable[[], None]:
        def check() -> None:
            self.made += client
            then()

        return check

    async def done(self) -> str:
        """Wait for all checks."""
        await asyncio.gather(*self.tasks, return_exceptions=True)
        made, self.made = self.made, ""
        return made


class TestTurns:
    """V2: clients take turns, and those known to bring good tokens go first."""

    @pytest.fixture
    async def order(self) -> Order:
        return Order(VerificationQueue(5))

    async def history(self, order: Order, good_clients: str, bad_clients: str) -> None:
        for client in good_clients:
            order.add(client)
            await order.done()
        for client in bad_clients:
            order.add(client, bad)
            await order.done()

    async def test_the_checks_of_one_client_are_made_in_order_of_arrival(self) -> None:
        queue, made = VerificationQueue(), list[int]()
        await asyncio.gather(*(queue.run(lambda number=number: made.append(number)) for number in range(5)))  # type: ignore[misc]
        assert made == [0, 1, 2, 3, 4]

    async def test_nobody_waits_for_a_second_token_of_another(self, order: Order) -> None:
        await self.history(order, "", "aaabbb")
        order.add("aaabb", bad)
        assert await order.done() == "ababa"

    async def test_unknown_clients_go_before_those_with_more_bad_tokens(self, order: Order) -> None:
        await self.history(order, "", "abb")
        order.add("bac")
        assert await order.done() == "cab"

    async def test_clients_with_more_good_tokens_than_bad_ones_go_first(self, order: Order) -> None:
        await self.history(order, "aabb", "abbb")
        order.add("bca")
        assert await order.done() == "acb"

    async def test_a_client_whose_token_proved_to_be_good_goes_on_at_once(self, order: Order) -> None:
        await self.history(order, "", "aabb")
        order.add("bba")
        order.add("cc")
        assert await order.done() == "ccbba"

    async def test_of_unknown_clients_the_oldest_and_the_newest_take_turns(self, order: Order) -> None:
        order.add("abcde", bad)
        assert await order.done() in {"aebdc", "eadbc"}

    async def test_a_check_that_decides_nothing_counts_neither_way(self, order: Order) -> None:
        def limited() -> None:
            raise TooManyRequests(RateLimitStatus(RateLimit(1, 60), 2, 1.0))

        order.add("a", limited)
        await order.done()
        await self.history(order, "", "b")
        order.add("ba")
        assert await order.done() == "ab"

    async def test_clients_are_remembered_up_to_a_number(self) -> None:
        queue = VerificationQueue(clock=lambda: 0.0)
        for number in range(MAX_CLIENTS + 5):
            await queue.run(good, str(number))
        assert len(queue._balance) == MAX_CLIENTS
        assert not queue._waiters


class TestSize:
    """Beyond a number of waiters, the one with the lowest priority is refused."""

    async def test_beyond_the_limit_a_client_without_a_better_right_is_refused(self) -> None:
        queue = VerificationQueue(3)
        results = await asyncio.gather(*(queue.run(good) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [type(None)] * 3 + [Overloaded] * 2

    async def test_a_client_with_less_tokens_takes_the_place_of_the_newest_of_another(self) -> None:
        queue = VerificationQueue(3)
        clients = ("a", "a", "a", "b", "c")
        results = await asyncio.gather(*(queue.run(good, client) for client in clients), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), Overloaded, Overloaded, type(None), type(None)]

    async def test_a_known_client_takes_the_place_of_one_with_bad_tokens(self) -> None:
        queue = VerificationQueue(2)
        await asyncio.gather(queue.run(bad, "a"), queue.run(bad, "b"), return_exceptions=True)
        clients = ("a", "b", "c", "a")
        results = await asyncio.gather(*(queue.run(good, client) for client in clients), return_exceptions=True)
        assert [type(result) for result in results] == [Overloaded, type(None), type(None), Overloaded]

    async def test_a_cancelled_waiter_is_skipped(self) -> None:
        queue = VerificationQueue()
        _, second, third = tasks = [asyncio.create_task(queue.run(good)) for _ in range(3)]
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait(tasks, timeout=60)
        assert second.cancelled()
        assert third.done()
        assert not queue._size
