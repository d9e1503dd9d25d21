"""A flood of refusals is answered a few in each iteration of the event loop."""

import asyncio

from adapters.http.refusal_pacing import RefusalPacing


async def passed_in_each_iteration(pacing: RefusalPacing, callers: int) -> list[int]:
    """How many of the callers pass in each event-loop iteration."""
    passed, counts = 0, []

    async def call() -> None:
        nonlocal passed
        await pacing.wait()
        passed += 1

    tasks = [asyncio.create_task(call()) for _ in range(callers)]
    while not all(task.done() for task in tasks):
        before = passed
        await asyncio.sleep(0)
        counts.append(passed - before)
    return [count for count in counts if count]


async def test_a_few_pass_without_waiting() -> None:
    pacing = RefusalPacing(3)
    for _ in range(3):
        waiting = pacing.wait()
        try:
            waiting.send(None)
        except StopIteration:
            continue
        raise AssertionError("it waits")


async def test_a_flood_passes_a_few_in_each_iteration() -> None:
    counts = await passed_in_each_iteration(RefusalPacing(3), 20)
    assert sum(counts) == 20
    assert max(counts) <= 3


async def test_callers_pass_in_order_of_arrival() -> None:
    pacing, order = RefusalPacing(2), list[int]()

    async def call(number: int) -> None:
        await pacing.wait()
        order.append(number)

    await asyncio.gather(*(call(number) for number in range(20)))
    assert order == list(range(20))


async def test_a_caller_that_is_cancelled_leaves_its_place_to_others() -> None:
    pacing = RefusalPacing(1)
    tasks = [asyncio.create_task(pacing.wait()) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks, timeout=60)
    assert [task.cancelled() for task in tasks] == [False, True, False, False]
    assert await passed_in_each_iteration(pacing, 3) == [1, 1, 1]
