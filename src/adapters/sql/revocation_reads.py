"""Reads of the revocations' table, in pages: none keeps the event loop or a connection busy for long."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import define, field, frozen
from sqlalchemy import Select, bindparam, func, literal_column, select, tuple_

from adapters.sql.database import Database
from adapters.sql.tables import revocations
from domain.identity import SessionId
from domain.revocation import Revocation

PAGE: Final = 1000
"""Rows of a page: reading and adding them takes some 5 ms of the event loop."""

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
_COLUMNS: Final = select(_TABLE.user_id, _TABLE.session_id, _TABLE.revoked_at, _TABLE.expires_at)
_CLOCK: Final = select(func.clock_timestamp())


def _limited(statement: Select[Any], rows: int) -> Select[Any]:
    """A constant limit: with a parameter PostgreSQL would plan for a tenth of the table."""
    return statement.limit(literal_column(str(rows)))


def _by_key(rows: int) -> Select[Any]:
    key = tuple_(_TABLE.user_id, _TABLE.session_id)
    after = tuple_(bindparam("user_id", type_=_TABLE.user_id.type), bindparam("session_id", type_=_TABLE.user_id.type))
    return _limited(_COLUMNS.where(key > after).order_by(_TABLE.user_id, _TABLE.session_id), rows)


def _by_record(rows: int) -> Select[Any]:
    after = bindparam("after", type_=_TABLE.recorded_at.type)
    newer = _COLUMNS.add_columns(_TABLE.recorded_at).where(_TABLE.recorded_at > after)
    return _limited(newer.order_by(_TABLE.recorded_at), rows)


@frozen
class RevocationReads:
    """Reads rows in the order of their primary key, or of the instants they were recorded at."""

    _database: Database
    _page: int = PAGE
    _next_by_key: Select[Any] = field(init=False)
    _next_by_record: Select[Any] = field(init=False)

    @_next_by_key.default
    def _build_by_key(self) -> Select[Any]:
        return _by_key(self._page)

    @_next_by_record.default
    def _build_by_record(self) -> Select[Any]:
        return _by_record(self._page)

    async def clock(self, now: datetime) -> datetime:
        """The clock that `recorded_at` is read from: PostgreSQL's; on SQLite ours, which shows `now`."""
        if self._database.dialect != "postgresql":
            return now
        [[instant]] = await self._database.poll_executor.read(_CLOCK, {})
        shown: datetime = instant
        return shown

    async def pages(self, after: Key) -> AsyncIterator[Sequence[Any]]:
        """The rows after a primary key, expired ones among them."""
        while rows := await self._read(self._next_by_key, user_id=after[0], session_id=after[1]):
            yield rows
            after = rows[-1][0], rows[-1][1]

    async def new_pages(self, after: datetime) -> AsyncIterator[Sequence[Any]]:
        """The rows recorded after an instant, with that instant as a fifth column, the oldest first.

        Of more than a page's rows that were recorded at one instant, which only a bulk insert makes, some are left out:
        see `is_cut`.
        """
        while rows := await self._read(self._next_by_record, after=after):
            yield rows
            if len(rows) < self._page:
                return
            # The next page begins with the last instant of this one, of which there may be more rows.
            after = rows[-1][4] if self.is_cut(rows) else rows[-1][4] - _TICK

    def is_cut(self, rows: Sequence[Any]) -> bool:
        """Whether rows of a page's only instant may be missing in it and in the next one."""
        return len(rows) == self._page and bool(rows[0][4] == rows[-1][4])

    async def _read(self, statement: Select[Any], **parameters: Any) -> Sequence[Any]:
        await asyncio.sleep(0)  # a read on SQLite may not wait for anything
        return await self._database.poll_executor.read(statement, parameters)


def to_revocation(row: Sequence[Any]) -> Revocation:
    """The revocation of a row."""
    user_id, session_id, revoked_at, expires_at = row[:4]
    return Revocation(user_id, None if session_id == ALL_SESSIONS else SessionId(session_id), revoked_at, expires_at)


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
