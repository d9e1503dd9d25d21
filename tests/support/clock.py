from datetime import UTC, datetime, timedelta

from attrs import define


@define
class ManualClock:
    """A clock that only advances when a test says so."""

    instant: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """See the port."""
        return self.instant

    def advance(self, by: timedelta) -> None:
        """Let time pass; a negative span sets the clock back."""
        self.instant += by
