import asyncio

import pytest
from attrs import define, field

from application.background import BackgroundWork
from entrypoints.asgi import BackgroundTasks


@define
class Failing:
    """Fails at its first run, then runs until it is cancelled."""

    events: list[str] = field(factory=list)
    is_running: asyncio.Event = field(factory=asyncio.Event)

    async def prepare(self) -> None:
        self.events.append("prepared")

    async def run(self) -> None:
        self.events.append("started")
        if len(self.events) == 2:
            raise ValueError("Secret-Title")
        self.is_running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.events.append("cancelled")


async def test_a_failed_background_task_is_logged_without_its_message_and_restarted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Failing()
    background = BackgroundTasks(BackgroundWork((work,)), restart_delay=0)
    await background.start()
    async with asyncio.timeout(10):
        await work.is_running.wait()
    await background.stop()
    assert work.events == ["prepared", "started", "started", "cancelled"]
    [record] = caplog.records
    assert (record.getMessage(), record.__dict__["task"]) == ("a background task failed", "Failing")
    assert record.__dict__["error"] == "ValueError"
    assert "Secret" not in caplog.text
