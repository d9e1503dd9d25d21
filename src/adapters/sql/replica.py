"""How far a replica is behind the primary, and what it may not have yet."""

import asyncio
import logging
import math
import time
from collections import deque
from typing import Any, Final

from attrs import define, field, frozen
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.database import Database
from adapters.sql.readiness import BYPASSES, row_security_problem, table_problem
from domain.errors import StorageUnavailable
from domain.identity import UserId
from domain.task import Revision

logger = logging.getLogger(__name__)

PATIENCE: Final = 0.5
"""Seconds that a read may take on the replica before the primary is asked; searches have their own time."""
POLL_INTERVAL: Final = 1.0
"""Seconds between two questions of how far the replica is."""
MAX_LAG: Final = 10.0
"""Seconds behind the primary above which the replica is not read."""
MAX_WRITTEN: Final = 100_000
"""Lists whose last change by this worker is remembered until the replica has it."""
MAX_PLACES: Final = 1000
"""Places in the log that are remembered: more than the replica may be behind."""
UNKNOWN: Final = Revision(2**63 - 1)
"""Higher than every revision: of a change whose own is not known."""

# Both are bytes of the write-ahead log; the identifier is that of the cluster of servers.
_WRITTEN: Final = text(
    "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS position, system_identifier,"
    " current_database() AS name FROM pg_control_system()"
)
_REPLAYED: Final = text(
    "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint AS position, system_identifier,"
    " current_database() AS name, pg_is_in_recovery() AS is_standby FROM pg_control_system()"
)
_NO_RESPONSE: Final = "it does not respond"
_TOO_MANY: Final = "it is behind by too many changes"


@define(eq=False)
class Replica:
    """Background task: asks how far the replica is, and remembers what it may not have yet.

    A change of this worker is remembered until the replica has replayed the log up to a place after it.
    """

    _primary: Database
    _replica: Database
    _allows_bypass: bool = False
    poll_interval: float = POLL_INTERVAL
    max_lag: float = MAX_LAG
    max_written: int = MAX_WRITTEN
    max_places: int = MAX_PLACES
    problem: str | None = field(init=False, default="not asked yet")
    """Why it is not read."""
    _written: dict[UserId, tuple[Revision, float]] = field(init=False, factory=dict)
    """The last revision of a list that this worker wrote, and when; the oldest first."""
    _places: deque[tuple[float, int]] = field(init=False, factory=deque)
    """The primary's places in the log that the replica has not reached, and when they were read."""
    _reached_at: float = field(init=False, default=-1.0)
    """When the primary was at the place that the replica has reached."""
    _left_out_at: float = field(init=False, default=-math.inf)
    """When the last change was made that is not remembered although the replica may not have it."""

    @property
    def behind(self) -> float:
        """Seconds, at most about, that the replica was behind at the last poll; infinite if that is not known."""
        return math.inf if self._reached_at < 0 else time.monotonic() - self._reached_at

    def note(self, owner: UserId, revision: Revision = UNKNOWN) -> None:
        """Remember a change: the replica must not be read before it has it."""
        known = self._written.pop(owner, (revision, 0.0))[0]
        self._written[owner] = (max(known, revision), time.monotonic())
        if len(self._written) > self.max_written:
            _, self._left_out_at = self._written.pop(next(iter(self._written)))
            self.suspend(_TOO_MANY)

    def required(self, owner: UserId) -> Revision:
        """The revision that a list has at least."""
        written = self._written.get(owner)
        return Revision(0) if written is None else written[0]

    def suspend(self, problem: str) -> None:
        """Do not read the replica until it was asked and nothing is wrong."""
        if self.problem is None:
            logger.warning("reads go to the primary", extra={"problem": problem})
        self.problem = problem

    async def prepare(self) -> None:
        """Ask once, so that the first requests are spread, too."""
        await self.poll()

    async def run(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.poll_interval)
            await self.poll()

    async def poll(self) -> None:
        """Ask both servers how far they are, forget what the replica has, and judge it."""
        try:
            problem = await self._problem()
        except (StorageUnavailable, TimeoutError):
            problem = _NO_RESPONSE
        except DBAPIError:
            problem = "its server does not say how far it is"
        if problem is None and time.monotonic() - self._reached_at > self.max_lag:
            problem = f"it is more than {self.max_lag:g} s behind"
        if problem is None and self._reached_at <= self._left_out_at:
            problem = _TOO_MANY
        if problem is not None:
            self.suspend(problem)
        elif self.problem is not None:
            logger.info("reads go to the replica")
            self.problem = None

    async def _problem(self) -> str | None:
        primary = await self._note_place()
        async with asyncio.timeout(PATIENCE):
            replayed = (await self._replica.read(_REPLAYED)).one()
            if not replayed.is_standby:
                return "EVO_TODO_READ_URL names no replica: that server takes changes itself"
            if primary is not None and primary.system_identifier != replayed.system_identifier:
                return "EVO_TODO_READ_URL names a replica of another server than DATABASE_URL"
            if primary is not None and primary.name != replayed.name:
                return "EVO_TODO_READ_URL names another database than DATABASE_URL"
            unguarded = await row_security_problem(self._replica)
            if unguarded is not None and not (unguarded == BYPASSES and self._allows_bypass):
                return unguarded.partition(":")[0]
            if (unreadable := await table_problem(self._replica)) is not None:
                meaning = unreadable.partition(":")[0]
                return _NO_RESPONSE if meaning == "no response" else meaning
        self._forget(replayed.position)
        return None

    async def _note_place(self) -> Row[Any] | None:
        """Note the primary's present place in the log; return its names, or `None` where it does not respond."""
        asked_at = time.monotonic()
        try:
            written = (await self._primary.read(_WRITTEN)).one()
        except StorageUnavailable:
            return None
        self._places.append((asked_at, written.position))
        if len(self._places) > self.max_places:
            self._places.popleft()
        return written

    def _forget(self, replayed: int) -> None:
        """Forget the changes that were made before a place which the replica has reached."""
        while self._places and self._places[0][1] <= replayed:
            self._reached_at = self._places.popleft()[0]
        while self._written:
            owner, (_, written_at) = next(iter(self._written.items()))
            if written_at >= self._reached_at:
                return
            del self._written[owner]


@frozen
class ReplicaReadiness:
    """Whether the replica is read."""

    _replica: Replica
    name: str = "replica"

    async def problem(self) -> str | None:
        """See the port. The service does not need it."""
        problem = self._replica.problem
        return None if problem is None else f"reads go to the primary: {problem}"


@frozen
class Replicated:
    """A replica's connections, and what is known of it."""

    database: Database
    replica: Replica
