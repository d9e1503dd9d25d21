"""A connection to PostgreSQL that many statements share: the driver opens it, and `wire` reads and writes it."""

import asyncio
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

from adapters.sql.compiled_statements import Rows
from adapters.sql.errors import CLOSE_TIMEOUT
from adapters.sql.postgresql import Connection
from adapters.sql.wire import (
    TERMINATE,
    Answer,
    AnswerParser,
    PreparedStatement,
    ProtocolError,
    error_of,
    prepare_message,
)
from adapters.sql.wire_values import UnsupportedType

PATIENCE: Final = 1.0
"""Seconds after which a connection without an answer is given up: a read then has time left on another one."""
SECOND_LOOK: Final = 0.1
"""Seconds before that happens, for answers that have come while the event loop was busy."""

_ELSEWHERE: Final = frozenset({"0A000", "25006", "26000", "55P03", "57014"})
"""SQLSTATEs of statements that have had no effect, and may succeed on a connection of their own.

The plan or the prepared statement is no longer valid; the server is a standby; the statement waited for a lock, or
took too long.
"""

_Waiting = tuple["asyncio.Future[Answer]", float]
"""For an answer, and since when, by the event loop's clock."""


class NotHere(Exception):
    """The statement has to be run on another connection: it was not sent, or has had no effect."""


class HandedOver(Connection):
    """A connection that the driver opens and authenticates, but does not use after that."""

    def hand_over(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Its transport, which from now on reports to this protocol."""
        transport: asyncio.Transport = self._transport
        transport.set_protocol(protocol)
        return transport


class Drop(Protocol):
    """Is called once, when a connection takes no more statements."""

    def __call__(self, connection: "SharedConnection", *, is_overdue: bool) -> None:
        """`is_overdue`: the server has not answered, and may still be at it."""


class SharedConnection(asyncio.Protocol):
    """Sends each statement with a Sync of its own, and hands the answers to those who wait, in that order.

    Who is cancelled leaves a place in the queue, so that the answer goes to nobody else.
    """

    def __init__(self, driver: HandedOver, drop: Drop) -> None:
        self._driver, self._drop = driver, drop
        self._loop = asyncio.get_running_loop()
        self._parser = AnswerParser()
        self._unsent: list[bytes] = []
        self._waiting: deque[_Waiting] = deque()
        self._suspect: _Waiting | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._statements: dict[str, PreparedStatement | None] = {}
        """By their SQL; `None` if one has a type that `wire` does not know."""
        self._preparing: dict[str, asyncio.Task[PreparedStatement | None]] = {}
        self._number = 0
        """Of the statement that was prepared last."""
        self._is_dropped = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self.server_pid = int(driver.get_server_pid())
        """The server's process."""
        self._transport = driver.hand_over(self)

    @property
    def load(self) -> int:
        """Statements without an answer."""
        return len(self._waiting)

    @property
    def unsent(self) -> int:
        """Statements that leave when this turn of the event loop ends."""
        return len(self._unsent)

    async def run(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """Run one statement as a transaction of its own, and return its rows.

        Raises:
            NotHere: it has to be run on another connection.
            asyncpg.PostgresError: the server rejects it.
            OSError: the connection is lost or overdue; it is unknown whether the statement has had an effect.
        """
        statement = self._statements.get(sql) or await self._prepare_once(sql)
        try:
            message = statement.bind(arguments)
        except (ValueError, TypeError, AttributeError, struct.error) as error:
            raise NotHere from error  # the driver has the words for it
        rows, failure, _ = await self._ask(message)
        if failure is None:
            return statement.rows(rows)
        rejection = error_of(failure)
        if rejection.sqlstate in _ELSEWHERE:
            self._statements.pop(sql, None)
            raise NotHere from rejection
        raise rejection

    async def close(self) -> None:
        """Close it; who still waits gets a ConnectionError."""
        if not self._closed.done():
            self._transport.write(TERMINATE)
            self._transport.close()
            await asyncio.wait([self._closed], timeout=CLOSE_TIMEOUT)
        self.terminate()

    def terminate(self) -> None:
        """Close it at once."""
        self._lose(ConnectionResetError)
        self._driver.terminate()

    def data_received(self, data: bytes) -> None:
        """Hand out the answers."""
        try:
            for answer in self._parser.feed(data):
                future, _ = self._waiting.popleft()
                if not future.done():
                    future.set_result(answer)
        except (ProtocolError, IndexError):  # something else, or an answer that nobody waits for
            self.terminate()

    def connection_lost(self, _: Exception | None) -> None:
        """Tell those who wait."""
        if not self._closed.done():
            self._closed.set_result(None)
        self.terminate()

    def _ask(self, message: bytes) -> "asyncio.Future[Answer]":
        if self._is_dropped:
            raise NotHere
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._look_for_overdue)
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.append((future, self._loop.time()))
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(message)
        return future

    def _send(self) -> None:
        if self._unsent:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    def _look_for_overdue(self) -> None:
        """One timer serves all: who has waited longest is the first in the queue."""
        self._timer = None
        if not self._waiting:
            return
        first = self._waiting[0]
        remaining = first[1] + PATIENCE - self._loop.time()
        if remaining > 0:
            self._timer = self._loop.call_later(remaining, self._look_for_overdue)
        elif first is not self._suspect:
            self._suspect = first
            self._timer = self._loop.call_later(SECOND_LOOK, self._look_for_overdue)
        else:
            self._lose(TimeoutError, is_overdue=True)

    def _lose(self, error: type[OSError], *, is_overdue: bool = False) -> None:
        """Take no more statements, and end those that wait."""
        if self._is_dropped:
            return
        self._is_dropped = True
        self._unsent.clear()
        if self._timer is not None:
            self._timer.cancel()
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(error())
        self._waiting.clear()
        self._drop(self, is_overdue=is_overdue)

    async def _prepare_once(self, sql: str) -> PreparedStatement:
        """Prepare a statement, once for all who wait for it."""
        if sql not in self._statements:
            if (preparing := self._preparing.get(sql)) is None:
                preparing = self._preparing[sql] = self._loop.create_task(self._prepare(sql))
                preparing.add_done_callback(lambda done: self._forget(sql, done))
            self._statements[sql] = await asyncio.shield(preparing)
        if (statement := self._statements[sql]) is None:
            raise NotHere
        return statement

    def _forget(self, sql: str, done: "asyncio.Task[PreparedStatement | None]") -> None:
        del self._preparing[sql]
        if not done.cancelled():
            done.exception()  # is seen by those who wait, if they are still there

    async def _prepare(self, sql: str) -> PreparedStatement | None:
        self._number += 1
        name = f"shared_{self._number}"
        _, failure, descriptions = await self._ask(prepare_message(name, sql))
        if failure is not None:
            raise error_of(failure)
        try:
            return PreparedStatement(name, descriptions)
        except UnsupportedType:
            return None
