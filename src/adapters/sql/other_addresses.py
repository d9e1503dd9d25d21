"""The doctor's checks of the addresses beside DATABASE_URL: of a replica, and for notifications."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from secrets import token_hex
from typing import Any, Final

from adapters.sql.address import DatabaseAddress
from adapters.sql.database import connect
from adapters.sql.errors import DRIVER_ERRORS, explain
from adapters.sql.replica import Replica
from application.health import Finding

REPLICA, NOTIFICATIONS = "replica", "notifications"
READ_URL: Final = "EVO_TODO_READ_URL"
LISTEN_URL: Final = "EVO_TODO_LISTEN_URL"

_POLLS: Final = 4
"""How often the replica is asked: it has never replayed what the primary has just written."""
_PAUSE: Final = 0.3
"""Seconds between them."""
_HEARING: Final = 1.0
"""Seconds that a notification may take."""
_DIRECT: Final = f"let {LISTEN_URL} name the database of DATABASE_URL by the server's own address, past every pooler"
_LATE: Final = "changes by another worker reach event streams up to 15 s late"


async def check_replica(
    url: str, read_url: str, *, allows_bypass: bool = False, prepared_statements: bool = True
) -> Finding:
    """Whether reads would go to the replica, and why not; the service works without it."""
    primary = connect(url, prepared_statements=prepared_statements)
    copy = connect(read_url, prepared_statements=prepared_statements, is_replica=True)
    replica = Replica(primary, copy, allows_bypass)
    try:
        for _ in range(_POLLS):
            await replica.poll()
            if replica.problem is None:
                name = DatabaseAddress.parse(read_url).name
                return Finding.ok(REPLICA, f"{name} is read; it is about {replica.behind:.1f} s behind")
            await asyncio.sleep(_PAUSE)
        advice = f"correct {READ_URL}, or see that its server runs and replays the primary's log, or unset it"
        return Finding.note(REPLICA, f"reads go to the primary: {replica.problem}", advice)
    finally:
        await primary.dispose()
        await copy.dispose()


async def check_notifications(
    url: str, listen_url: str | None = None, *, prepared_statements: bool = True
) -> Finding | None:
    """Whether workers hear each other; `None` where they do without a setting. The service works without it."""
    database = connect(url, prepared_statements=prepared_statements)
    direct = database if listen_url is None else connect(listen_url)
    try:
        if database.connect is None or direct.connect is None:
            return None
        is_heard = await _is_heard(direct.connect, database.connect)
    except (OSError, *DRIVER_ERRORS) as error:
        if listen_url is None:
            return None  # the check of the database says why
        meaning, advice = explain(error)
        name = DatabaseAddress.parse(listen_url).name
        return Finding.note(NOTIFICATIONS, f"{name}: {meaning}; {_LATE}", advice.replace("DATABASE_URL", LISTEN_URL))
    finally:
        await database.dispose()
        await direct.dispose()
    if is_heard:
        return None if listen_url is None else Finding.ok(NOTIFICATIONS, "workers hear of each other's changes at once")
    return Finding.note(NOTIFICATIONS, f"no notification arrives; {_LATE}", _DIRECT)


async def _is_heard(listen: Callable[[], Awaitable[Any]], send: Callable[[], Awaitable[Any]]) -> bool:
    """Whether what one connection sends arrives at the other one."""
    channel, heard = f"evo_todo_doctor_{token_hex(8)}", asyncio.Event()
    async with AsyncExitStack() as closing:
        listener, sender = await listen(), await send()
        closing.callback(listener.terminate)
        closing.callback(sender.terminate)

        def hear(*_: object) -> None:
            heard.set()

        await listener.add_listener(channel, hear)
        await sender.execute(f"NOTIFY {channel}")
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEARING):
                await heard.wait()
        await listener.remove_listener(channel, hear)
    return heard.is_set()
