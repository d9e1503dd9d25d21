"""Reads of the revocations' table, in pages: none keeps the event loop or a connection busy for long."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from attrs import define, field, frozen
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Select,
    bindparam,
    cast,
    extract,
    func,
    literal_column,
    select,
    tuple_,
)

from adapters.sql.database import Database
from adapters.sql.tables import revocations

PAGE: Final = 2000
"""Rows of a page: decoding them, and then adding them, takes a few milliseconds of the event loop."""

LOOKBACK: Final = timedelta(seconds=30)
"""How far back a poll begins before the instant up to which the last one was complete: a transaction that began
earlier may commit later.
"""

ALL_SESSIONS: Final = ""
"""Stored as the session id of a revocation of all sessions: no issuer has an empty one."""

Key = tuple[str, str]
"""A row's user ID and session ID: its primary key."""
START: Final[Key] = ("", "")

_TICK: Final = timedelta(microseconds=1)
"""The databases' resolution of an instant."""
_TABLE: Final = revocations.c
_CLOCK: Final = select(func.clock_timestamp())


def _columns(dialect: str) -> Select[Any]:
    """The ids, and the dates in whole seconds since 1970, rounded down: drivers take long to make a datetime."""

    def seconds(column: Column[Any]) -> ColumnElement[int]:
        epoch = extract("epoch", column)  # on SQLite an integer
        return cast(func.floor(epoch), BigInteger) if dialect == "postgresql" else epoch

    return select(_TABLE.user_id, _TABLE.session_id, seconds(_TABLE.revoked_at), seconds(_TABLE.expires_at))


def _limited(statement: Select[Any], rows: int) -> Select[Any]:
    """A constant limit: with a parameter PostgreSQL would plan for a tenth of the table."""
    return statement.limit(literal_column(str(rows)))


@cache
def _by_key(dialect: str, rows: int) -> Select[Any]:
    key = tuple_(_TABLE.user_id, _TABLE.session_id)
    after = tuple_(bindparam("user_id", type_=_TABLE.user_id.type), bindparam("session_id", type_=_TABLE.user_id.type))
    following = _columns(dialect).where(key > after).order_by(_TABLE.user_id, _TABLE.session_id)
    return _limited(following, rows)


@cache
def _by_record(dialect: str, rows: int) -> Select[Any]:
    after = bindparam("after", type_=_TABLE.recorded_at.type)
    newer = _columns(dialect).add_columns(_TABLE.recorded_at).where(_TABLE.recorded_at > after)
    return _limited(newer.order_by(_TABLE.recorded_at), rows)


@frozen
class RevocationReads:
    """Reads rows in the order of their primary key, or of the instants they were recorded at."""

    _database: Database
    _page: int = PAGE

    async def clock(self, now: datetime) -> datetime:
        """The clock that `recorded_at` is read from: PostgreSQL's; on SQLite ours, which shows `now`."""
        if self._database.dialect != "postgresql":
            return now
        [[instant]] = await self._database.poll_executor.read(_CLOCK, {})
        shown: datetime = instant
        return shown

    async def pages(self, after: Key) -> AsyncIterator[Sequence[Any]]:
        """The rows after a primary key, expired ones among them. While one page is used, the next is being read."""
        reading = self._start_reading(after)
        try:
            while rows := await reading:
                reading = self._start_reading((rows[-1][0], rows[-1][1]))
                await asyncio.sleep(0)  # the statement is sent
                yield rows
        finally:
            reading.cancel()

    async def new_pages(self, after: datetime) -> AsyncIterator[Sequence[Any]]:
        """The rows recorded after an instant, with that instant as a fifth column, the oldest first.

        Of more than a page's rows that were recorded at one instant, which only a bulk insert makes, some are left out:
        see `is_cut`.
        """
        statement = _by_record(self._database.dialect, self._page)
        while rows := await self._database.poll_executor.read(statement, {"after": after}):
            yield rows
            if len(rows) < self._page:
                return
            # The next page begins with the last instant of this one, of which there may be more rows.
            after = rows[-1][4] if self.is_cut(rows) else rows[-1][4] - _TICK
            await asyncio.sleep(0)  # a read on SQLite may not wait for anything

    def is_cut(self, rows: Sequence[Any]) -> bool:
        """Whether rows of a page's only instant may be missing in it and in the next one."""
        return len(rows) == self._page and bool(rows[0][4] == rows[-1][4])

    def _start_reading(self, after: Key) -> asyncio.Task[Sequence[Any]]:
        statement = _by_key(self._database.dialect, self._page)
        parameters = {"user_id": after[0], "session_id": after[1]}
        # On SQLite in a thread; on PostgreSQL on the connection of the poll.
        return asyncio.create_task(self._database.poll_executor.search(statement, parameters))


@define
class Watermark:
    """Up to when the rows are known, by the database's clock, measured by our monotonic clock in seconds."""

    _newest: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """The latest time that the database's clock was seen to show."""
    _seen_at: float = 0.0
    """When that was."""
    _polled_at: float = field(init=False)
    """When the last complete poll began."""

    @_polled_at.default
    def _first_poll(self) -> float:
        return self._seen_at

    @property
    def after(self) -> datetime:
        """The next poll reads the rows recorded after this instant.

        Those not committed when the last poll began are recorded at most LOOKBACK before it. While nothing is recorded
        the instant follows the clock up to the newest row, so that a poll does not read the last rows for ever.
        """
        elapsed = timedelta(seconds=self._polled_at - self._seen_at)
        return self._newest - max(LOOKBACK - elapsed, timedelta())

    def polled(self, began: float, ended: float, newest: datetime | None) -> None:
        """A poll that took from `began` to `ended` is complete; its newest row, if any, was recorded at `newest`."""
        self._polled_at = began
        if newest is not None and newest > self._newest:
            self._newest, self._seen_at = newest, ended

    def is_ahead_of(self, clock: datetime) -> bool:
        """Whether the database's clock was set back."""
        return clock < self._newest
