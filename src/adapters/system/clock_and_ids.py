"""The machine's clock, and ids that are ordered by it."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from attrs import frozen

from domain.task import TaskId


@frozen
class SystemClock:
    """The port's Clock: the machine's."""

    def now(self) -> datetime:
        """The current time in UTC, to the microsecond."""
        return datetime.now(UTC)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class UuidV7Generator:
    """UUIDs of version 7 with the microsecond in `rand_a` (RFC 9562 §6.2, method 3).

    Libraries use the millisecond of a clock of their own. Here an id and its task's `created_at` come from the same
    instant, so that the order of ids is the order of creation, to the microsecond and on any machine.
    """

    def next(self, at: datetime) -> TaskId:
        """An id for that instant, with 62 random bits."""
        milliseconds, rest = divmod(at - EPOCH, timedelta(milliseconds=1))
        fraction = rest.microseconds * 4096 // 1000
        bits = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
        return TaskId(UUID(int=bits))
