from datetime import timedelta

from attrs import define

from adapters.sql.database import Database
from adapters.sql.revocations import SqlRevocations
from tests.contracts.revocations import NOON

WEEK = timedelta(days=7)


@define
class WorkerClock:
    """A clock for the wall and one that only counts, both set by hand."""

    seconds: float = 0

    def monotonic(self) -> float:
        return self.seconds

    def of_a_worker(self, database: Database) -> SqlRevocations:
        return SqlRevocations(
            database, WEEK, 30, lambda: NOON + timedelta(seconds=self.seconds), monotonic=self.monotonic
        )
