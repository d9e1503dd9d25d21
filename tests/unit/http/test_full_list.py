"""A list that is full, as its client sees it."""

import pytest

from tests.support.api import InMemory, running

LIST = "/api/alice/tasks"


async def test_a_task_too_many_is_a_conflict_that_says_what_to_do() -> None:
    async with running(InMemory(), EVO_TODO_MAX_TASKS="2") as api:
        first, _ = await api.task("first"), await api.task("second")
        assert (await api("DELETE", f"{LIST}/{first['id']}")).status_code == 204
        answer = await api("POST", LIST, json={"title": "third"})
        assert answer.status_code == 409
        problem = answer.json()
        assert problem["type"] == "urn:problem-type:evo-todo:list-full"
        assert "deleted" in problem["detail"]
        assert (await api("POST", f"{LIST}/{first['id']}/restore")).status_code == 200
        assert (await api("POST", "/api/bob/tasks", user="bob", json={"title": "his"})).status_code == 201


@pytest.mark.parametrize("limit", ["off", "3"])
async def test_with_room_or_without_a_limit_it_is_taken(limit: str) -> None:
    async with running(InMemory(), EVO_TODO_MAX_TASKS=limit) as api:
        for _ in range(3):
            await api.task()
