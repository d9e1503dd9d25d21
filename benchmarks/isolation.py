"""Row-level security on shared connections, at full size: cancelled askers and killed server processes."""

import asyncio
import random
from typing import Any

import asyncpg

from adapters.sql.database import connect
from benchmarks.servers import migrate
from benchmarks.world import SERVICE, World, world
from tests.support.isolation import FAULTS, Isolation, remove_owner_filter
from tests.support.postgres_local import version


def isolation(operations: int) -> dict[str, Any]:
    """Run the operations with the owner filter in the statements, and as many with row-level security alone.

    Raises:
        SystemExit: something happened that never must.
    """
    with world() as made:
        migrate(made)
        found: dict[str, Any] = {"postgresql": version(made.server.installation.programs)}
        for name, is_filtered in (("filtered by owner", True), ("row-level security alone", False)):
            found[name] = counts = asyncio.run(_run(made, operations, is_filtered=is_filtered))
            if any(counts[fault] for fault in FAULTS):
                raise SystemExit(f"{name}: {counts}")
    return found


async def _run(made: World, operations: int, *, is_filtered: bool) -> dict[str, int]:
    administrator = await asyncpg.connect(made.administration)
    await administrator.execute("TRUNCATE tasks, task_lists, idempotency_keys")
    # Without TLS: a driver's connect that is cancelled while it asks for TLS leaves a future's exception to the loop.
    database = connect(f"{made.database(SERVICE)}?sslmode=disable", is_pipelined=True)
    if not is_filtered:
        remove_owner_filter(database)
    try:
        return dict(await Isolation(database, administrator, random.Random(operations)).run(operations))
    finally:
        await database.dispose()
        await administrator.close()
