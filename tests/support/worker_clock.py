from datetime import datetime, timedelta

from attrs import define

from adapters.sql.database import Database
from adapters.sql.revocations import SqlRevocations
from domain.revocation import TokenLifetimes
from tests.contracts.revocations import NOON

LIFETIMES = TokenLifetimes()
KEPT = LIFETIMES.retention()
"""How long a revocation is kept when its event states no lifetime."""


@define
class WorkerClock:
    """A wall clock and a monotonic clock, both set by hand."""

    seconds: float = 0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def of_a_worker(self, database: Database) -> SqlRevocations:
        return SqlRevocations(database, LIFETIMES, 30, self.now, self.monotonic)
