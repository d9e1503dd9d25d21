"""The machine's clock is set, back or ahead, while the service runs."""

from datetime import datetime, timedelta

import pytest

from application.ports import Clock
from tests.support.api import InMemory, replacing, running
from tests.support.clock import ManualClock


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=-400), timedelta(hours=1), timedelta(days=400)])
async def test_a_clock_that_jumps_breaks_no_call_and_turns_no_tasks_time_back(jump: timedelta) -> None:
    clock = ManualClock()
    async with running(InMemory(), replacing(Clock, clock)) as api:
        before = await api.task("Before")
        clock.advance(jump)
        after = await api.task("After")
        done = await api("PATCH", f"/api/alice/tasks/{before['id']}/complete")
        gone = await api("DELETE", f"/api/alice/tasks/{after['id']}")
        back = await api("POST", f"/api/alice/tasks/{after['id']}/restore")
        listed = await api("GET", "/api/alice/tasks?sort=-updated_at")

    assert [answer.status_code for answer in (done, gone, back, listed)] == [200, 204, 200, 200]
    assert [task["revision"] for task in (before, after, done.json(), back.json())] == [1, 2, 3, 5]
    for task in listed.json()["data"]:
        assert datetime.fromisoformat(task["updated_at"]) >= datetime.fromisoformat(task["created_at"])
