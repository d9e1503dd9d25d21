from datetime import UTC, datetime, timedelta

from attrs import define


@define
class ManualClock:
    """A clock that stands still until it is told to go on."""

    instant: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """See the port."""
        return self.instant

    def advance(self, by: timedelta) -> None:
        """Let time pass; a negative span queue the clock back."""
        self.instant += by
