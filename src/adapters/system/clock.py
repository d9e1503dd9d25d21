from datetime import UTC, datetime

from attrs import frozen


@frozen
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, in UTC, to the microsecond."""
        return datetime.now(UTC)
