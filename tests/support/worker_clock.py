from datetime import datetime, timedelta

from attrs import define

from adapters.sql.database import Database
from adapters.sql.revocations import SqlRevocations
from tests.contracts.revocations import NOON

WEEK = timedelta(days=7)


@define
class WorkerClock:
    """A wall clock and a monotonic clock, both set by hand."""

    seconds: float = 0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def of_a_worker(self, database: Database) -> SqlRevocations:
        return SqlRevocations(database, WEEK, 30, self.now, self.monotonic)
